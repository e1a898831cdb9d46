#include "node/node.h"

#include "base/logging.h"
#include "node/service.h"

namespace gavel::node {

Node::Node(kj::Network& network, kj::Timer& timer, const SystemClock& clock, Random& random,
           chain::Store& store, NodeOptions nodeOptions)
    : options(kj::mv(nodeOptions)),
      clock(clock),
      chainClock(clock),
      incarnation(random.id()),
      storeId(store.recovered().storeId),
      fresh(store.recovered().fresh()),
      replica_(network, timer, store, incarnation, *this),
      admission_(replica_, timer, chainClock, options.limits),
      queries_(replica_, chainClock),
      forwarder_(replica_, network, timer),
      master(network, timer, random, options.masters, *this),
      anchor(*this) {
  if (!fresh) {
    logWarning("restarted with data: a member of nothing until a configuration names this process",
               {{"last", store.recovered().logEnd.index},
                {"epoch", store.recovered().configuration.epoch}});
  }
}

Node::~Node() noexcept(false) = default;

schema::NodeService::Client Node::service() {
  return kj::heap<Service>(anchor.ref());
}

void Node::writeStatus(schema::NodeStatus::Builder builder, bool withStateHash) {
  using Role = schema::NodeStatus::Role;
  builder.setName(options.name.c_str());
  builder.setAddress(options.address.c_str());
  builder.setIncarnation(incarnation);
  builder.setStoreId(storeId);
  // Not one that is only heard of: the master takes this for an acknowledgement.
  builder.setEpoch(replica_.durableEpoch());
  builder.setLast(replica_.logEnd().index);
  builder.setDurable(replica_.durable());
  builder.setCommit(replica_.commit());
  builder.setApplied(replica_.state().lastIndex());
  builder.setWallClock(clock.wall());
  if (withStateHash) {
    auto hash = replica_.state().hash();
    builder.setStateHash(kj::arrayPtr(hash.data(), hash.size()));
  }
  switch (replica_.role()) {
    case chain::Role::head:
      builder.setRole(Role::HEAD);
      return;
    case chain::Role::middle:
      builder.setRole(Role::MIDDLE);
      return;
    case chain::Role::tail:
      builder.setRole(Role::TAIL);
      return;
    case chain::Role::single:
      builder.setRole(Role::SINGLE);
      return;
    case chain::Role::waiting:
      break;
  }
  if (fresh && replica_.logEnd().index == 0) {
    builder.setRole(Role::WAITING);
    builder.setReason("waits to be taken into the chain");
  } else {
    builder.setRole(Role::REFUSING);
    builder.setReason(
        "it was a member of the chain before, and must not serve what it still holds; start it "
        "with "
        "an empty data directory under another name to use the machine again");
  }
}

void Node::stopped() {
  admission_.stopped();
  forwarder_.forget();
}

void Node::started() {
  forwarder_.forget();
  admission_.started();
}

void Node::committed(std::uint64_t index) {
  admission_.committed(index);
}

void Node::unreachable(std::uint64_t epoch, const chain::Member& neighbour, kj::StringPtr reason) {
  master.report(epoch, neighbour.incarnation, reason);
}

}  // namespace gavel::node
