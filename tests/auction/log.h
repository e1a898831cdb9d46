#pragma once

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "auction/state.h"

// For the tests of the rules: short ways to write commands, and a log that feeds a State.
namespace gavel::auction {

inline void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << "{kind " << int(outcome.kind) << ", argument " << int(outcome.argument) << ", index "
       << outcome.index << ", version " << outcome.version << ", stamp " << outcome.stamp
       << ", deadline " << outcome.deadline << ", highest " << outcome.highest << ", nextValid "
       << outcome.nextValid << "}";
}
inline void PrintTo(Outcome::Kind kind, std::ostream* out) {
  *out << "kind " << int(kind);
}
inline void PrintTo(Outcome::Argument argument, std::ostream* out) {
  *out << "argument " << int(argument);
}

namespace test {

using Kind = Outcome::Kind;
using Argument = Outcome::Argument;

// The credential of that name.
inline Identity identity(std::string_view name) {
  Identity identity{name, {}};
  const std::size_t size = std::min(name.size(), identity.credential.size());
  std::copy_n(name.begin(), size, identity.credential.begin());
  return identity;
}
inline Identity impostor(std::string_view name) {
  Identity other = identity(name);
  other.credential[31] ^= 1;
  return other;
}

// No soft close, starting price or reserve; the increment is 10.
inline Terms plainTerms(Nanoseconds duration = 1000) {
  Terms terms;
  terms.item = "a lamp";
  terms.duration = duration;
  terms.increment.value = 10;
  return terms;
}

inline Bid bid(std::string_view auction, std::string_view bidder, Amount amount) {
  return Bid{auction, identity(bidder), amount};
}
inline CreateAuction create(std::string_view auction, const Terms& terms = plainTerms()) {
  return CreateAuction{auction, identity("owner"), terms};
}

// A log with one open session, in which each request gets the next sequence.  Each entry is judged
// before it is applied, and its outcome has to be the judged one.
class Log {
public:
  State state;
  std::vector<Event> events;  // Of all entries so far.
  Stamp now = 1000;           // Stamp of the next entry.
  std::uint64_t session = 0;  // The session of the next requests.
  std::uint64_t sequence = 0;

  Log() { session = openSession(); }
  // Has an auction called "lamp", of identity("owner"), created at 1000.
  explicit Log(const Terms& terms): Log() { EXPECT_EQ(apply(create("lamp", terms)).version, 1u); }

  std::uint64_t openSession() { return apply(proposal(OpenSession{})).index; }

  Entry proposal(const Command& command) const {
    return Entry{state.lastIndex() + 1, now, {}, command};
  }
  Entry request(const Command& command, RequestId id) const {
    return Entry{state.lastIndex() + 1, now, id, command};
  }

  Outcome apply(const Entry& entry) {
    const Judgement judgement = state.judge(entry);
    const Outcome outcome = state.apply(entry, &events);
    EXPECT_EQ(state.lastIndex(), entry.index);
    Outcome expected = judgement.outcome;
    if (!judgement.log && expected.index == 0) expected.index = entry.index;
    EXPECT_EQ(outcome, expected) << "not as judged";
    return outcome;
  }
  Outcome apply(const Command& command) {
    return apply(request(command, {session, ++sequence, 0}));
  }
  Outcome applyAt(Stamp stamp, const Command& command) {
    now = stamp;
    return apply(command);
  }
  Outcome closeExpired(Stamp stamp) {
    now = stamp;
    return apply(proposal(CloseExpired{}));
  }

  Judgement judge(const Command& command) const {
    return state.judge(request(command, {session, sequence + 1, 0}));
  }

  const Auction& auction(std::string_view name = "lamp") const {
    const Auction* found = state.findAuction(name);
    if (found == nullptr) throw std::runtime_error("no such auction");
    return *found;
  }
  // The highest bidder, or the winner.
  std::string_view leader(std::string_view name = "lamp") const {
    return state.bidder(auction(name).highestBidder).name;
  }
};

}  // namespace test
}  // namespace gavel::auction
