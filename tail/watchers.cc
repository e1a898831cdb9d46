#include "tail/watchers.h"

#include <kj/debug.h>

namespace gavel::tail {
namespace {

// Short enough that a client does not take the call for lost, and soon leaves a node that has
// stopped.  Long enough that idle watchers cost little.
constexpr auto LONGEST_WAIT = 500 * kj::MILLISECONDS;
constexpr std::size_t MAX_WAITING = 10'000;
constexpr std::uint32_t MAX_CHANGES = 2000;
constexpr std::uint64_t NOW = UINT64_MAX;

}  // namespace

void Watchers::requireServing() const {
  if (!isServing(replica.role())) {
    kj::throwFatalException(
        KJ_EXCEPTION(OVERLOADED, "this node serves in no chain now: try again"));
  }
  if (feed.waiting() >= MAX_WAITING) {
    kj::throwFatalException(
        KJ_EXCEPTION(OVERLOADED, "overloaded: too many watch; try again later"));
  }
}

kj::Promise<void> Watchers::forSomething(kj::Promise<void> something) {
  auto nothing =
      timer.afterDelay(LONGEST_WAIT).then([this]() { return queries.confirmed().ignoreResult(); });
  return canceler.wrap(
      something.exclusiveJoin(kj::mv(nothing)).then([this]() { requireServing(); }));
}

kj::Promise<void> Watchers::watch(schema::Auctioneer::WatchParams::Reader params,
                                  schema::History::Builder results) {
  requireServing();
  kj::StringPtr auction = params.getAuction();
  auto latest = queries.latestVersion(auction);
  kj::Promise<void> ready = kj::READY_NOW;
  if (!latest) {
    // The entry that creates it may not have reached this node yet.
    ready = queries.confirmed().ignoreResult();
  } else if (*latest < params.getFromVersion()) {
    ready = forSomething(feed.next({auction.begin(), auction.size()}));
  }
  return ready.then([this, params, results]() {
    return queries.history(replica.newest().epoch, params.getAuction(), params.getFromVersion(),
                           params.getLimit(), results);
  });
}

kj::Promise<void> Watchers::watchAll(schema::Auctioneer::WatchAllParams::Reader params,
                                     schema::Changes::Builder results) {
  requireServing();
  auto after = params.getAfter();
  if (after == NOW) {
    results.setPosition(feed.position());
    return kj::READY_NOW;
  }
  kj::Promise<void> ready = kj::READY_NOW;
  if (feed.read(std::max(after, feed.start()), 1).empty() && after >= feed.start()) {
    ready = forSomething(feed.next());
  }
  return ready.then([this, after, params, results]() { tell(after, params.getLimit(), results); });
}

void Watchers::tell(std::uint64_t after, std::uint32_t limit, schema::Changes::Builder results) {
  if (after < feed.start()) {
    results.setGap(true);
    results.setPosition(feed.start());
    return;
  }
  auto most = limit == 0 ? MAX_CHANGES : std::min(limit, MAX_CHANGES);
  auto changes = feed.read(after, most);
  auto list = results.initChanges(static_cast<unsigned>(changes.size()));
  for (unsigned i = 0; i < list.size(); ++i) {
    list[i].setAuction(changes[i]->auction);
    wire::writeVersion(changes[i]->number, changes[i]->version, replica.state(),
                       list[i].initVersion());
  }
  bool all = changes.empty() || changes.back() == feed.newest();
  results.setPosition(all ? std::max(after, feed.position()) : changes.back()->index);
}

}  // namespace gavel::tail
