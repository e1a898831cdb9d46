#pragma once

#include <kj/timer.h>

#include "schema/auction.capnp.h"
#include "tail/feed.h"
#include "tail/queries.h"

namespace gavel::tail {

// Tells watchers what happens, at any serving member (design.md §7).  A watcher asks for what
// follows the last it was told; the call waits until there is something.  So it may go to another
// node at any time and miss nothing, and one that is slow keeps nobody waiting and nothing in
// memory (R13).
//
// What is told is committed, and therefore true at every node.  Before it is said that there is
// nothing, the chain confirms that this node is still a member (R10): one that was removed would
// else go on saying so for ever.
class Watchers {
public:
  // References outlive this object.
  Watchers(chain::Replica& replica, Queries& queries, Feed& feed, kj::Timer& timer)
      : replica(replica), queries(queries), feed(feed), timer(timer) {}
  KJ_DISALLOW_COPY(Watchers);

  // Fail with OVERLOADED as queries do.
  kj::Promise<void> watch(schema::Auctioneer::WatchParams::Reader params,
                          schema::History::Builder results);
  kj::Promise<void> watchAll(schema::Auctioneer::WatchAllParams::Reader params,
                             schema::Changes::Builder results);

private:
  chain::Replica& replica;
  Queries& queries;
  Feed& feed;
  kj::Timer& timer;
  kj::Canceler canceler;  // Of what waits: its caller may keep it for longer than this lives.

  void requireServing() const;
  kj::Promise<void> forSomething(kj::Promise<void> something);
  void tell(std::uint64_t after, std::uint32_t limit, schema::Changes::Builder results);
};

}  // namespace gavel::tail
