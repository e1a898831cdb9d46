#pragma once

#include <string>

#include <kj/async-io.h>
#include <kj/timer.h>

#include "base/clock.h"
#include "base/handshake.h"
#include "base/random.h"
#include "base/turn-meter.h"
#include "chain/replica.h"
#include "head/admission.h"
#include "node/forwarder.h"
#include "node/master-session.h"
#include "schema/peer.capnp.h"
#include "store/store.h"
#include "tail/queries.h"
#include "tail/watchers.h"

namespace gavel::node {

struct NodeOptions {
  std::string name;
  std::string address;  // The one at which others reach it.
  std::vector<std::string> masters;
  head::Admission::Limits limits;
  chain::Replica::Options replica;
  // How far the clock may be above the newest entry's stamp plus the time since then (R15).
  kj::Duration maxLeap = chain::ChainTime::DEFAULT_MAX_LEAP * kj::NANOSECONDS;
  // A link without progress for this long does not work (R6); null: the master says how long.
  kj::Maybe<kj::Duration> linkPatience = nullptr;
  // Measures the turns of the event loop; null if nobody does.  Must outlive the node.
  const TurnMeter* turns = nullptr;
};

// One server process of the chain: its replica, and on top of it the roles that the configuration
// in force gives it.  Its world is injected, and it lives on one event loop.
class Node final: private chain::Replica::Observer, private MasterSession::Host {
public:
  // All references must outlive the node.  `image` is what `store` holds.
  Node(kj::Network& network, kj::Timer& timer, const SystemClock& clock, Random& random,
       Store& store, Image image, NodeOptions options);
  ~Node() noexcept(false);
  KJ_DISALLOW_COPY(Node);

  // Returns what it serves over a connection with this access.
  schema::NodeService::Client service(Access access = {});

  // Is rejected, with a text for the operator, when the master refuses this node for good.
  kj::Promise<void> run() { return master.run(); }

  // -- for the service

  chain::Replica& replica() { return replica_; }
  head::Admission& admission() { return admission_; }
  tail::Queries& queries() { return queries_; }
  tail::Watchers& watchers() { return watchers_; }
  Forwarder& forwarder() { return forwarder_; }
  kj::Timer& timer() { return timer_; }
  auction::Stamp chainTime() const { return time.now(); }

  void writeStatus(schema::NodeStatus::Builder builder, bool withStateHash);
  // Answers a master that makes the store of a lost one anew (Peer.promise, R3).
  using PromiseContext =
      capnp::CallContext<schema::Peer::PromiseParams, schema::Peer::PromiseResults>;
  kj::Promise<void> promise(PromiseContext context);
  // Writes the header of a snapshot that is taken here, as of `position`.
  void writeSnapshotHeader(Position position, schema::SnapshotHeader::Builder builder) const;

private:
  NodeOptions options;
  kj::Network& network;
  kj::Timer& timer_;
  const SystemClock& clock;
  chain::ChainTime time;
  std::uint64_t incarnation;
  const Recovered& recovered;

  tail::Feed feed;  // Before the replica, whose constructor calls restarted().
  chain::Replica replica_;
  head::Admission admission_;
  tail::Queries queries_;
  tail::Watchers watchers_;
  Forwarder forwarder_;
  MasterSession master;
  kj::Promise<void> lookups = nullptr;
  WeakAnchor<Node> anchor;

  void lookUpMembers();
  void explain(schema::NodeStatus::Builder builder) const;

  void stopped() override;
  void started() override;
  void applied(std::span<const auction::Event> events) override;
  void restarted(std::uint64_t index) override;
  void committed(std::uint64_t index) override;
  void caughtUp() override;
  void unreachable(std::uint64_t epoch, const Member& neighbour, kj::StringPtr reason) override;
  void linkTrouble(const chain::Replica::LinkReport& report) override;
  void gated(std::uint64_t epoch, const Member& joiner) override;

  void describe(schema::NodeStatus::Builder builder) override { writeStatus(builder, false); }
  std::uint64_t clusterId() override { return replica_.newest().clusterId; }
  bool empty() override { return recovered.empty && replica_.logEnd().index == 0; }
  kj::Promise<void> adopt(const Configuration& configuration) override {
    return replica_.adopt(configuration);
  }
  kj::Maybe<kj::String> whyNotAdopt(const Configuration& configuration) override {
    return replica_.whyNotAdopt(configuration);
  }
  void clockIsWrong() override;
  kj::Promise<std::string> acceptClock(auction::Stamp limit) override {
    return admission_.acceptClock(limit);
  }
  void setLinkPatience(kj::Duration patience) override;
};

}  // namespace gavel::node
