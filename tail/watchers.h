#pragma once

#include <kj/timer.h>

#include "schema/auction.capnp.h"
#include "tail/feed.h"
#include "tail/queries.h"

namespace gavel::tail {

// Answers watchers at any serving member (see docs/design.md, 'Watching').  A watcher asks for what
// follows the last change that it has, and the call waits until there is something.  So it may go
// to another node at any time and misses nothing.  A slow one keeps nobody waiting, and nothing in
// memory (R13).
//
// What it gets is committed, and therefore true at every node.  Before the answer says that there
// is nothing, the chain confirms that this node is still a member (R10).  Otherwise one that was
// removed would say so for ever.
class Watchers {
public:
  // References must outlive this object.
  Watchers(chain::Replica& replica, Queries& queries, Feed& feed, kj::Timer& timer)
      : replica(replica), queries(queries), feed(feed), timer(timer) {}
  KJ_DISALLOW_COPY(Watchers);

  // These fail with OVERLOADED as queries do.
  kj::Promise<void> watch(schema::Auctioneer::WatchParams::Reader params,
                          schema::History::Builder results);
  kj::Promise<void> watchAll(schema::Auctioneer::WatchAllParams::Reader params,
                             schema::Changes::Builder results);

private:
  chain::Replica& replica;
  Queries& queries;
  Feed& feed;
  kj::Timer& timer;
  kj::Canceler canceler;  // For what waits: the caller may keep it for longer than this lives.

  void requireServing() const;
  kj::Promise<void> forSomething(kj::Promise<void> something);
  void tell(std::uint64_t after, std::uint32_t limit, schema::Changes::Builder results);
};

}  // namespace gavel::tail
