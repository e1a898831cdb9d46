#include "node/node.h"

#include "base/logging.h"
#include "base/planted.h"
#include "node/service.h"

namespace gavel::node {
namespace {

// Every start is a new incarnation (R2).
std::uint64_t newIncarnation(const Recovered& recovered, Random& random) {
  for (auto& member: recovered.configuration.members) {
    bool same = planted(Bug::restartInPlace) && member.storeId == recovered.storeId;
    if (same) return member.incarnation;
  }
  return random.id();
}

void writePace(const RecentDurations::Summary& durations, schema::Pace::Builder pace) {
  pace.setCount(durations.count);
  pace.setSum(durations.sum.count());
  pace.setMedian(durations.median.count());
}

}  // namespace

Node::Node(kj::Network& network, kj::Timer& timer, const SystemClock& clock, Random& random,
           Store& store, Image image, NodeOptions nodeOptions)
    : options(kj::mv(nodeOptions)),
      network(network),
      timer_(timer),
      clock(clock),
      time(clock, options.maxLeap / kj::NANOSECONDS),
      incarnation(newIncarnation(store.recovered(), random)),
      recovered(store.recovered()),
      replica_(network, timer, time, store, kj::mv(image), incarnation, *this, options.replica),
      admission_(replica_, timer, time, options.limits),
      queries_(replica_, time),
      watchers_(replica_, queries_, feed, timer),
      forwarder_(replica_, network, timer, {}),
      master(network, timer, random, options.masters, *this),
      anchor(*this) {
  setLinkPatience(options.replica.linkPatience);
  if (!recovered.empty) {
    logInfo("restarted with data: a member of nothing until a configuration names this process",
            {{"last", replica_.logEnd().index},
             {"checkpoint", replica_.commit()},
             {"epoch", recovered.configuration.epoch},
             {"generation", recovered.generation}});
  }
  if (!recovered.damage.empty()) {
    logError("the data is damaged: it is no source for others, but this node can join again",
             {{"damage", recovered.damage}});
  }
}

Node::~Node() noexcept(false) = default;

schema::NodeService::Client Node::service(Access access) {
  return kj::heap<Service>(anchor.ref(), access);
}

void Node::writeStatus(schema::NodeStatus::Builder builder, bool withStateHash) {
  using Role = schema::NodeStatus::Role;
  builder.setName(options.name.c_str());
  builder.setAddress(options.address.c_str());
  builder.setIncarnation(incarnation);
  builder.setStoreId(recovered.storeId);
  builder.setGeneration(recovered.generation);
  // The store is asked anew, since what was damaged may be complete again.
  builder.setDamage(replica_.store().recovered().damage.c_str());
  builder.setUnsynced(recovered.unsynced);
  builder.setDiskHangs(replica_.diskHangs());
  writePace(replica_.store().activity().syncs, builder.initSyncs());
  // An epoch that is only heard of does not do: the master takes this for an acknowledgement.
  builder.setEpoch(replica_.durableEpoch());
  builder.setLast(replica_.logEnd().index);
  writePosition(replica_.logEnd(), builder.initEnd());
  writeBound(replica_.bound(), builder.initBound());
  builder.setClusterId(replica_.newest().clusterId);
  builder.setReign(replica_.newest().reign);
  if (auto& promised = replica_.promised(); promised.epoch > replica_.newest().epoch) {
    builder.setPromisedEpoch(promised.epoch);
    builder.setPromisedReign(promised.reign);
  }
  builder.setDurable(replica_.durable());
  builder.setCommit(replica_.commit());
  builder.setApplied(replica_.state().lastIndex());
  builder.setLogStart(replica_.store().logStart().index);
  // The master compares clocks, and not chain time, which may be ahead of all of them (R15).
  auto boot = time.sinceBoot();
  builder.setWallClock(planted(Bug::skewOfChainTime) ? time.at(boot) : time.clockAt(boot));
  builder.setChainTime(time.at(boot));
  builder.setLeap(admission_.leap());
  if (options.turns != nullptr) {
    writePace(options.turns->ticks(), builder.initTurns());
    auto longest = options.turns->longest();
    builder.setLongestTurn(longest.turn / kj::NANOSECONDS);
    builder.setLongestTurnOwn(longest.ownTime / kj::NANOSECONDS);
  }
  if (withStateHash) {
    auto hash = replica_.state().hash();
    builder.setStateHash(kj::arrayPtr(hash.data(), hash.size()));
  }
  switch (replica_.role()) {
    case gavel::Role::head:
      builder.setRole(Role::HEAD);
      return;
    case gavel::Role::middle:
      builder.setRole(Role::MIDDLE);
      return;
    case gavel::Role::tail:
      builder.setRole(Role::TAIL);
      return;
    case gavel::Role::single:
      builder.setRole(Role::SINGLE);
      return;
    case gavel::Role::syncing:
      builder.setRole(Role::SYNCING);
      builder.setReason("joins the chain after the tail");
      return;
    case gavel::Role::waiting:
      builder.setRole(Role::WAITING);
      explain(builder);
      return;
  }
}

// The wall clock may have been set right since the last look.  The master judges by the next
// report.  It has not let this process in, so nothing is stamped in between (R15).
void Node::clockIsWrong() {
  if (replica_.newest().roleOf(incarnation) == Role::waiting) time.takeClock();
}

void Node::explain(schema::NodeStatus::Builder builder) const {
  if (master.refusal().size() > 0) {
    builder.setReason(master.refusal());
  } else if (replica_.logEnd().index == 0) {
    builder.setReason("waits to be taken into the chain");
  } else if (replica_.newest().clusterId == 0) {
    builder.setReason("restored from a backup: waits for a new chain to be formed with it");
  } else {
    builder.setReason(
        "holds data of an earlier membership, which it must not serve; waits to be taken into the "
        "chain again");
  }
}

kj::Promise<void> Node::promise(PromiseContext context) {
  using Answer = chain::Replica::Answer;
  auto params = context.getParams();
  if (params.getStoreId() != recovered.storeId) {
    context.getResults().initResult().setRefused("it runs on another data directory");
    return kj::READY_NOW;
  }
  chain::Replica::Question question{Configuration::read(params.getConfiguration()),
                                    {params.getEpoch(), params.getReign()},
                                    params.getReleased()};
  return replica_.promise(question).then([this, context](Answer answer) mutable {
    auto result = context.getResults().initResult();
    switch (answer.kind) {
      case Answer::Kind::promised:
        writeStatus(result.initPromised(), false);
        return;
      case Answer::Kind::newer:
        replica_.newest().write(result.initNewer());
        return;
      case Answer::Kind::refused:
        result.setRefused(answer.why);
        return;
    }
  });
}

void Node::writeSnapshotHeader(Position position, schema::SnapshotHeader::Builder builder) const {
  builder.setClusterId(replica_.newest().clusterId);
  writePosition(position, builder.initPosition());
  builder.setStamp(clock.wall());
  builder.setConfigurationEpoch(replica_.newest().epoch);
}

void Node::stopped() {
  admission_.stopped();
}

void Node::started() {
  forwarder_.adopted();
  admission_.started();
  lookUpMembers();
}

// Any of them may become a neighbour at a time when no name resolves (base/remembering-network.h).
void Node::lookUpMembers() {
  kj::Vector<kj::Promise<void>> all;
  for (auto& member: replica_.newest().members) {
    all.add(kj::evalNow([&]() { return network.parseAddress(member.address.c_str()); })
                .ignoreResult()
                .catch_([name = member.name](kj::Exception&& exception) {
                  logDebug("a member's name does not resolve",
                           {{"node", name}, {"error", exception.getDescription()}});
                }));
  }
  lookups = kj::joinPromises(all.releaseAsArray()).eagerlyEvaluate(nullptr);
}

void Node::applied(std::span<const auction::Event> events) {
  feed.applied(events);
}

void Node::restarted(std::uint64_t index) {
  feed.restart(index);
}

void Node::committed(std::uint64_t index) {
  admission_.committed(index);
  feed.committed(index);
}

void Node::caughtUp() {
  admission_.caughtUp();
}

void Node::unreachable(std::uint64_t epoch, const Member& neighbour, kj::StringPtr reason) {
  master.report(epoch, neighbour.incarnation, reason);
}

void Node::linkTrouble(const chain::Replica::LinkReport& report) {
  master.reportLink(report);
}

void Node::setLinkPatience(kj::Duration patience) {
  // Below this, what a kernel may delay would be taken for a dead path.
  constexpr auto LEAST = 250 * kj::MILLISECONDS;
  replica_.setLinkPatience(kj::max(options.linkPatience.orDefault(patience), kj::Duration(LEAST)));
}

void Node::gated(std::uint64_t epoch, const Member& joiner) {
  master.gate(epoch, joiner.incarnation);
}

}  // namespace gavel::node
