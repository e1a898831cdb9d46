#pragma once

#include <kj/function.h>

#include "client/client.h"

// Watches that survive re-links and the death of the node that answers (docs/design.md,
// "Watching").  Each call asks any member for what follows the last event received.  So nothing is
// missed, nothing comes twice, and nodes keep nothing for a watcher that does not ask.
namespace gavel::client {

// Waits while the chain cannot be reached.  Reports each such time once.
class Patience {
public:
  // `lost` is called with a reason when no member answers, `found` when one does again.
  Patience(kj::Timer& timer, kj::Function<void(kj::StringPtr)> lost, kj::Function<void()> found)
      : timer(timer), lost(kj::mv(lost)), found(kj::mv(found)) {}

  // If there was no answer, returns a promise after which to ask again; else null.
  kj::Maybe<kj::Promise<void>> pauseAfter(kj::Maybe<schema::QueryFailure::Reader> failure);

private:
  kj::Timer& timer;
  kj::Function<void(kj::StringPtr)> lost;
  kj::Function<void()> found;
  bool isLost = false;
};

// The versions of one auction, in order, from a first one on.
class AuctionWatch {
public:
  // References must outlive this object.
  AuctionWatch(Client& client, Patience& patience, Random& random, kj::StringPtr auction,
               std::uint64_t from)
      : client(client),
        patience(patience),
        auction(kj::str(auction)),
        from(from),
        turn(random.next()) {}

  // The next versions, at least one.  Waits as long as it takes, outages included.  Returns a
  // failure only if there is no such auction.
  kj::Promise<HistoryPage> next();

private:
  Client& client;
  Patience& patience;
  kj::String auction;
  std::uint64_t from;
  std::uint64_t turn;
};

// The changes of all auctions that follow a position, in the order of the log.
class ChainWatch {
public:
  static constexpr std::uint64_t NOW = UINT64_MAX;

  // `after`: position() of an earlier watch, or NOW.  References must outlive this object.
  ChainWatch(Client& client, Patience& patience, Random& random, std::uint64_t after)
      : client(client), patience(patience), after(after), turn(random.next()) {}

  // The next changes.  There is at least one, or a gap: no member holds the changes up to its
  // position any more.  The first page of a watch that starts at NOW has neither.
  kj::Promise<ChangesPage> next();

  // Everything up to and including this position was returned.
  std::uint64_t position() const { return after; }

private:
  Client& client;
  Patience& patience;
  std::uint64_t after;
  std::uint64_t turn;
  unsigned gaps = 0;  // Members in a row that do not hold what follows `after`.

  bool othersMayHold() const;
};

}  // namespace gavel::client
