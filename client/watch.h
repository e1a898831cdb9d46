#pragma once

#include <kj/function.h>

#include "client/client.h"

// Watching what happens, through re-links and the death of the node that tells it (design.md §7):
// each call asks for what follows the last that was told, of whichever member answers.  So nothing
// is missed, nothing comes twice, and one who does not ask has nothing kept for them.
namespace gavel::client {

// Waits for a chain that cannot be reached, and says so, once each time.
class Patience {
public:
  // `lost` is called with a reason when nobody can tell anything now, `found` when somebody can
  // again.
  Patience(kj::Timer& timer, kj::Function<void(kj::StringPtr)> lost, kj::Function<void()> found)
      : timer(timer), lost(kj::mv(lost)), found(kj::mv(found)) {}

  // Whether to ask again, after the promise: there was no answer.
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

  // The next ones, at least one.  Waits as long as it takes, outages included.  With a failure only
  // if there is no such auction.
  kj::Promise<HistoryPage> next();

private:
  Client& client;
  Patience& patience;
  kj::String auction;
  std::uint64_t from;
  std::uint64_t turn;
};

// The changes of all auctions, in the order of the log, from a position on.
class ChainWatch {
public:
  static constexpr std::uint64_t NOW = UINT64_MAX;

  // `after`: position() of an earlier watch, or NOW.  References must outlive this object.
  ChainWatch(Client& client, Patience& patience, Random& random, std::uint64_t after)
      : client(client), patience(patience), after(after), turn(random.next()) {}

  // The next ones: at least one, or a gap, which says that what happened up to its position is held
  // by no member any more.  At NOW neither, once.
  kj::Promise<ChangesPage> next();

  // Everything up to here was told.
  std::uint64_t position() const { return after; }

private:
  Client& client;
  Patience& patience;
  std::uint64_t after;
  std::uint64_t turn;
  unsigned gaps = 0;  // So many members in turn do not hold what follows `after`.

  bool othersMayHold() const;
};

}  // namespace gavel::client
