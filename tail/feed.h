#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <kj/async.h>

#include "auction/state.h"

namespace gavel::tail {

// The latest committed changes of all auctions, in the order of the log: what watchers are told,
// who may have missed some while they changed from one node to another (design.md §7).
//
// Invariants: it holds every change of the entries behind start(), and of none before; what is
// shown is committed (R5).  Bounded in bytes (R13): the oldest changes go first.
class Feed {
public:
  struct Change {
    std::uint64_t index = 0;  // Of the entry, which may have made several.
    kj::StringPtr auction;
    std::uint64_t number = 0;
    auction::Version version;
  };

  // To be told where it begins by restart().
  // Half a million changes with short names: more auctions than that are not to end in one moment.
  explicit Feed(std::size_t mostBytes = 64 * 1024 * 1024): mostBytes(mostBytes) {}
  KJ_DISALLOW_COPY(Feed);

  // -- as the state goes on

  // The state has come to have these versions, committed or not.
  void applied(std::span<const auction::Event> events);
  void committed(std::uint64_t index);
  // There is another state, as of `index`, all of which is committed.
  void restart(std::uint64_t index);

  // -- for watchers

  // Where those who want to miss nothing may begin.
  std::uint64_t start() const { return start_; }
  // Everything up to here is committed, and told.
  std::uint64_t position() const { return position_; }
  // Those by entries behind `after`, which is not below start(), in order; `most` of them or so, as
  // those of one entry come together.
  std::span<const Change* const> read(std::uint64_t after, std::size_t most);

  // The last committed one; null where there is none.
  const Change* newest() const { return told == 0 ? nullptr : &changes[told - 1]; }

  // Resolves when an auction, or any, has a change that was not committed before this call.
  kj::Promise<void> next(const std::string& auction);
  kj::Promise<void> next() { return next(std::string()); }
  std::size_t waiting() const { return waiters; }

private:
  class Waiter;

  const std::size_t mostBytes;
  std::uint64_t start_ = 0;
  std::uint64_t position_ = 0;
  std::size_t bytes = 0;
  std::deque<Change> changes;
  // Their names, one after the other: looking for one that an older change has as well would cost
  // more than writing it again.
  struct Names {
    kj::Array<char> text;
    std::size_t used = 0;
    std::size_t changes = 0;  // That are still there.
  };
  std::deque<Names> names;
  std::size_t told = 0;  // Of the changes: the committed ones.
  std::vector<const Change*> page;
  std::unordered_map<std::string, std::list<Waiter*>> waitersOf;  // "": of any auction.
  std::size_t waiters = 0;

  void wake(kj::StringPtr auction);
  void forgetOldest();
  kj::StringPtr keep(std::string_view name);
  static std::size_t sizeOf(const Change& change) { return sizeof(change) + change.auction.size(); }
};

}  // namespace gavel::tail
