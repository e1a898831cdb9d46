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

// The latest changes of all auctions, in the order of the log (see docs/design.md, 'Watching').
// Watchers get the committed ones, also those that they missed while they changed from one node to
// another.
//
// Invariants: it holds every change by entries after start(), and none by entries up to and
// including it.  What it shows is committed (R5).  It is bounded in bytes (R13): the oldest
// committed changes go first.
class Feed {
public:
  struct Change {
    std::uint64_t index = 0;  // The entry's, which may have made several changes.
    kj::StringPtr auction;
    std::uint64_t number = 0;
    auction::Version version;
  };

  // restart() says where it begins.  The default holds half a million changes with short names.  If
  // more auctions end within a moment, watchers see a gap.
  explicit Feed(std::size_t mostBytes = 64 * 1024 * 1024): mostBytes(mostBytes) {}
  KJ_DISALLOW_COPY(Feed);

  // -- as the state changes

  // The state has these new versions, committed or not.
  void applied(std::span<const auction::Event> events);
  void committed(std::uint64_t index);
  // There is another state, as of `index`, all of which is committed.
  void restart(std::uint64_t index);

  // -- for watchers

  // The lowest index after which nothing is missing.
  std::uint64_t start() const { return start_; }
  // Everything up to and including this index is committed, and can be read.
  std::uint64_t position() const { return position_; }
  // Returns the committed changes by entries after `after`, in order; `after` must be start() or
  // more.  They are about `most`, since the changes of one entry are never split.
  std::span<const Change* const> read(std::uint64_t after, std::size_t most);

  // The last committed change; null if there is none.
  const Change* newest() const { return told == 0 ? nullptr : &changes[told - 1]; }

  // Resolve when the auction, or any auction, has a change that is committed after this call.
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
  // The names in changes, one after the other.  To look for one that an older change has as well
  // would cost more than to write it again.
  struct Names {
    kj::Array<char> text;
    std::size_t used = 0;
    std::size_t changes = 0;  // How many changes point here.
  };
  std::deque<Names> names;
  std::size_t told = 0;  // How many of the changes are committed.
  std::vector<const Change*> page;
  std::unordered_map<std::string, std::list<Waiter*>> waitersOf;  // "" is for any auction.
  std::size_t waiters = 0;

  void wake(kj::StringPtr auction);
  void forgetOldest();
  kj::StringPtr keep(std::string_view name);
  static std::size_t sizeOf(const Change& change) { return sizeof(change) + change.auction.size(); }
};

}  // namespace gavel::tail
