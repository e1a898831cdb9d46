#include "tests/simulation/cluster.h"

#include <algorithm>
#include <fmt/format.h>

namespace gavel::simulation {
namespace {

constexpr std::int64_t HOUR = 3600'000'000'000;

}  // namespace

Plan Plan::draw(Dice& dice) {
  Plan plan;
  constexpr unsigned LENGTHS[] = {1, 2, 3, 3, 3, 3, 3, 4};
  plan.replicas = LENGTHS[dice.below(kj::size(LENGTHS))];
  plan.nodes = plan.replicas + static_cast<unsigned>(dice.between(plan.replicas < 3 ? 1 : 0, 2));

  plan.master.replicas = plan.replicas;
  plan.master.flapDelay = dice.chance(0.5) ? 0 * kj::SECONDS : 200 * kj::MILLISECONDS;
  plan.master.outageWait = dice.skewed(300 * kj::MILLISECONDS, 3 * kj::SECONDS);
  plan.master.linkRetry = dice.skewed(300 * kj::MILLISECONDS, 2 * kj::SECONDS);
  if (dice.chance(0.5)) plan.node.linkPatience = 700 * kj::MILLISECONDS;
  if (plan.replicas > 1 && dice.chance(0.35)) {
    plan.master.minMembers = static_cast<unsigned>(dice.between(2, plan.replicas));
  }
  plan.node.replica.boundPeriod = dice.skewed(10 * kj::MILLISECONDS, 1 * kj::SECONDS);
  plan.longestStoreDelay = dice.skewed(1 * kj::MILLISECONDS, 150 * kj::MILLISECONDS);

  // Small, so that logs are truncated and snapshots are needed.
  plan.node.replica.checkpointBytes = std::size_t(512) << dice.below(6);
  plan.node.replica.memoryBytes = std::size_t(512) << dice.below(6);
  // In many runs a slice of work is an entry or two, so that turns end in the middle of everything.
  plan.node.limits.endedPerEntry = static_cast<std::uint32_t>(dice.between(1, 4));
  plan.node.replica.pace.unitsPerLook = static_cast<std::size_t>(dice.between(1, 8));
  plan.node.limits.pace.unitsPerLook = plan.node.replica.pace.unitsPerLook;
  plan.workPerLook = dice.chance(0.3) ? 0 * kj::SECONDS
                                      : dice.skewed(100 * kj::MICROSECONDS, 5 * kj::MILLISECONDS);
  plan.disk.store.retainedBytes = std::size_t(512) << dice.below(7);
  plan.disk.store.partBytes = std::size_t(256) << dice.below(6);
  plan.disk.longestSync = dice.skewed(500 * kj::MICROSECONDS, 40 * kj::MILLISECONDS);

  plan.bidding.hosts = 3;
  plan.bidding.clients = static_cast<unsigned>(dice.between(4, 8));
  plan.bidding.inquirers = static_cast<unsigned>(dice.between(1, 10));
  plan.bidding.inquirersThinkAtMost = dice.skewed(10 * kj::MILLISECONDS, 250 * kj::MILLISECONDS);
  plan.bidding.bidders.hot = dice.between(1, 2);
  plan.bidding.bidders.cold = dice.between(1, 4);
  plan.bidding.bidders.thinkAtMost = dice.between(40, 250) * kj::MILLISECONDS;
  plan.bidding.bidders.duration = dice.between(500, 4000) * kj::MILLISECONDS;
  plan.bidding.limits.readFrom =
      dice.chance(0.7) ? client::ReadFrom::anyNode : client::ReadFrom::tail;
  plan.bidding.limits.timeout = dice.between(1500, 5000) * kj::MILLISECONDS;

  if (dice.chance(0.25)) {
    auto off = dice.between(1, 400 * 24) * HOUR;
    plan.clocksOffAtStart = dice.chance(0.6) ? off : -off;
  }
  // Short, so that a few seconds are a long time for the chain.
  if (dice.chance(0.5)) plan.node.limits.tickEvery = dice.between(50, 2000) * kj::MILLISECONDS;
  if (dice.chance(0.4)) plan.node.maxLeap = dice.between(3000, 10'000) * kj::MILLISECONDS;
  return plan;
}

std::string Plan::describe() const {
  return fmt::format(
      "plan: {} replicas, {} at least, {} nodes, checkpoint {} memory {} retained {} part {}, sync "
      "up "
      "to {} us, {} bidders, clocks off by {} h, ticks every {} ms, leaps up to {} s, {} ended an "
      "entry, {} us for {} units of work",
      replicas, master.minMembers, nodes, node.replica.checkpointBytes, node.replica.memoryBytes,
      disk.store.retainedBytes, disk.store.partBytes, disk.longestSync / kj::MICROSECONDS,
      bidding.clients, clocksOffAtStart / HOUR, node.limits.tickEvery / kj::MILLISECONDS,
      node.maxLeap / kj::SECONDS, node.limits.endedPerEntry, workPerLook / kj::MICROSECONDS,
      node.limits.pace.unitsPerLook);
}

Cluster::Cluster(Trace& trace, Dice& dice, Plan clusterPlan)
    : plan(std::move(clusterPlan)),
      toil(plan.workPerLook),
      engine(trace),
      wire(engine, dice.fork()),
      configStore(engine, dice.fork(), plan.longestStoreDelay),
      lostStore(engine, Dice(dice), plan.longestStoreDelay) {
  std::vector<std::string> masterAddresses;
  for (unsigned i = 0; i < plan.masters; ++i) {
    auto name = "m" + std::to_string(i + 1);
    masters.push_back(
        std::make_unique<MasterMachine>(engine, wire, dice.fork(), name, configStore, plan.master));
    masterAddresses.push_back(masters.back()->address());
  }
  auto options = plan.node;
  options.masters = masterAddresses;
  options.limits.pace.clock = &toil;
  options.replica.pace.clock = &toil;
  auto clients = plan.bidding;
  for (unsigned i = 0; i < plan.nodes; ++i) {
    auto name = "n" + std::to_string(i + 1);
    nodes.push_back(
        std::make_unique<NodeMachine>(engine, wire, dice.fork(), name, plan.disk, options));
    clients.seeds.push_back(nodes.back()->address());
    clients.nodes.push_back(nodes.back()->address());
  }
  for (auto& master: masters) master->clusterNodes = clients.nodes;
  clients.seeds.push_back(masterAddresses[0]);
  bidding = std::make_unique<Bidding>(engine, wire, dice.fork(), std::move(clients));
}

Cluster::~Cluster() noexcept(false) {
  engine.shutDown();
}

void Cluster::start() {
  for (auto& master: masters) master->wallOffset = plan.clocksOffAtStart;
  for (auto& node: nodes) node->wallOffset = plan.clocksOffAtStart;
  masters[0]->start();
  for (auto& node: nodes) node->start();
  bidding->start();
}

std::vector<node::Node*> Cluster::actingMembers() const {
  auto& current = configStore.current();
  std::vector<node::Node*> found;
  for (auto& member: current.members) {
    for (auto& machine: nodes) {
      auto* node = machine->node();
      if (node == nullptr || node->replica().incarnation() != member.incarnation) continue;
      auto& replica = node->replica();
      if (replica.acting() && replica.newest().epoch == current.epoch) found.push_back(node);
    }
  }
  return found;
}

bool Cluster::whole() const {
  auto& members = configStore.current().members;
  bool joining = std::any_of(members.begin(), members.end(),
                             [](const Member& member) { return !member.serving; });
  return !joining && members.size() == plan.replicas && actingMembers().size() == plan.replicas;
}

NodeMachine* Cluster::nodeOf(const Process& process) {
  for (auto& machine: nodes) {
    if (machine->is(process)) return machine.get();
  }
  return nullptr;
}

NodeMachine* Cluster::nodeWithStore(std::uint64_t storeId) {
  for (auto& machine: nodes) {
    if (machine->disk().store().recovered().storeId == storeId) return machine.get();
  }
  return nullptr;
}

bool Cluster::othersServe(const std::vector<std::uint64_t>& stores) {
  auto other = [&](const Member& member) {
    return member.serving && nodeWithStore(member.storeId) != nullptr &&
           std::find(stores.begin(), stores.end(), member.storeId) == stores.end();
  };
  auto all = configStore.upcoming();
  return std::all_of(all.begin(), all.end(), [&](const Configuration& each) {
    return std::any_of(each.members.begin(), each.members.end(), other);
  });
}

std::string Cluster::describe() const {
  auto& current = configStore.current();
  std::string text = fmt::format("stored: epoch {} {}", current.epoch, current.describe());
  for (auto& machine: masters) {
    text += fmt::format("; {}: {}", machine->name(), machine->runs() ? "runs" : "down");
    if (auto* master = machine->master()) {
      text += fmt::format(" ({}) {}", master->current().epoch, master->notice());
    }
  }
  for (auto& machine: nodes) {
    text += "; " + machine->name() + ": ";
    auto* node = machine->node();
    if (node == nullptr) {
      text += machine->runs() ? "starts" : "down";
      continue;
    }
    auto& replica = node->replica();
    text += fmt::format("{} epoch {} last {} durable {} commit {}", roleName(replica.role()),
                        replica.newest().epoch, replica.logEnd().index, replica.durable(),
                        replica.commit());
  }
  return text;
}

}  // namespace gavel::simulation
