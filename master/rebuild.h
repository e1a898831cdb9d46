#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "master/document.h"

// How the store of a master is made anew when it is lost for good (R3).  Pure: no clock, I/O or
// promises.
//
// The lost master may have decided more than anybody shows, and may not be lost at all.  So each
// serving and syncing member of a configuration n, known by store id, is asked in one round to
// promise, durably: "my newest is n; I adopt nothing below epoch F, and of F only what this reign
// has made".  All have to.  Then n is followed by epoch F with the same members.  Why nothing comes
// into force between the two:
//
// - A configuration m between n and F has at least one serving member.  Those are stores that have
//   served in the one before it, or a joiner that the tail of that one has gated while it acted in
//   it (R9).  Back to n, all of them are stores of members of n; they have promised, and act in
//   none of those in between, so that none of them gates, commits or answers anything.  A joiner of
//   n counts, as the tail may have gated it in n already.
// - Each round has an epoch F of its own, as a node gives a later promise only for a higher one.
//   So of two masters that are rebuilt at a time, one at most gets all promises for its F; and a
//   master that is done with F is known by it: it is newer than n.
//
// A promise that was not given by all binds nobody in the end.  A node that has promised at k does
// not adopt the m above k that others are in.  If a member of k is in a configuration between k and
// what was promised, that one never promised at k, and never will: the first node is *released*,
// and adopts m (Peer.promise).  If none is, m is in force nowhere: all members of k can still say
// that theirs is k, and the round begins there.
namespace gavel::master {

// How far the epoch is above all that was made before.  No master makes so many.
constexpr std::uint64_t REBUILD_STEP = std::uint64_t{1} << 20;

// What a process said that was asked.
struct Heard {
  Candidate candidate;  // As it runs now.
  std::uint64_t durableEpoch = 0;
  Configuration newest;
  std::string address;  // Where it answered.
};

struct RebuildPlan {
  // Why nobody can be asked yet, for the operator; empty: they can.
  std::string awaited;

  struct Question {
    std::uint64_t storeId;
    std::string name;
    std::string address;
    std::uint64_t released;  // See above; 0: no epoch.
  };
  Configuration base;  // n
  std::vector<Question> questions;
  std::uint64_t epoch = 0;      // F
  std::vector<Member> givenUp;  // Members of n, on the operator's order.
};

// Whom to ask for what.  `unheard` says of addresses that were asked why nobody was heard there.
// `without` are the names of members that the operator gives up (R11).
RebuildPlan planRebuild(const std::vector<Heard>& heard,
                        const std::map<std::string, std::string>& unheard,
                        const std::vector<std::string>& without);

struct Rebuilt {
  std::string refused;  // Why there is none yet, for the operator; empty: there is.
  Document document;
};

// The document after all that were asked have promised; `promised` is what they said then.  If
// members are given up it is an operator's order that goes on from one source alone: of those who
// serve and were asked, the one with the longest log (R11).  `reign` is not 0.
Rebuilt rebuiltDocument(const RebuildPlan& plan, const std::vector<Candidate>& promised,
                        std::uint64_t reign);

// What nobody but the lost master knew, line by line for the operator.
std::vector<std::string> whatIsForgotten();

}  // namespace gavel::master
