#include "tests/joining/world.h"

#include "base/logging.h"
#include "master/service.h"

namespace gavel::joining {
namespace {

// The duration of a sync, about.
constexpr auto SYNC_INTERVAL = 500 * kj::MICROSECONDS;
// So small that a test has many checkpoints, and little of the log.
constexpr std::size_t CHECKPOINT_BYTES = 8 * 1024;
constexpr std::size_t MEMORY_BYTES = 4 * 1024;
constexpr std::size_t SMALL_RETENTION = 4 * 1024;
constexpr std::size_t LARGE_RETENTION = 1024 * 1024 * 1024;
constexpr unsigned MAX_CONNECTIONS = 1000;

}  // namespace

World::World(kj::AsyncIoContext& io, unsigned replicas, bool truncating)
    : io(io),
      replicas(replicas),
      truncating(truncating),
      masterStore([this](Step step, const Configuration& next) {
        for (auto& slot: slots) {
          for (auto& member: next.members) {
            if (member.name == slot->name && member.serving) {
              reach(*slot, step);
            }
          }
        }
      }),
      tasks(*this) {
  setUpLogging("test", LogFormat::text,
               getenv("GAVEL_TEST_LOG") != nullptr ? LogLevel::debug : LogLevel::error);
  startMaster();
  for (unsigned i = 0; i < replicas; ++i) {
    auto slot = kj::heap<Slot>();
    slot->name = "n" + std::to_string(i + 1);
    MemoryStore::Options options;
    options.retainedBytes = truncating ? SMALL_RETENTION : LARGE_RETENTION;
    slot->store = kj::heap<MemoryStore>(random.id(), MemoryStore::Sync::manual, options);
    slots.push_back(kj::mv(slot));
    start(i);
  }
  tasks.add(syncDisks());
  until("the chain to form", [&]() { return whole(); });
}

World::~World() noexcept(false) {
  // Nodes first, since they use each other's connections.
  for (auto& slot: slots) slot->process = nullptr;
}

void World::reach(Slot& slot, Step step) {
  if (step != slot.awaited) return;
  slot.awaited = Step::none;
  slot.reached->fulfill();
}

kj::Own<kj::ConnectionReceiver> World::listen(std::string& address) {
  auto listener =
      io.provider->getNetwork().parseAddress(address.c_str()).wait(io.waitScope)->listen();
  address = gavel::testing::ownHost() + ":" + std::to_string(listener->getPort());
  return listener;
}

void World::startMaster() {
  auto& network = io.provider->getNetwork();
  auto& timer = io.provider->getTimer();
  auto process = kj::heap<MasterProcess>();
  process->listener = listen(masterAddress);
  master::Settings settings;
  settings.replicas = replicas;
  settings.flapDelay = 0 * kj::SECONDS;
  settings.outageWait = 300 * kj::MILLISECONDS;
  process->master =
      master::Master::open(timer, network, masterStore, clock, random, settings).wait(io.waitScope);
  process->server = kj::heap<Server>(master::serve(*process->master), timer, MAX_CONNECTIONS);
  process->running = process->server->listen(*process->listener).eagerlyEvaluate(nullptr);
  masterProcess = kj::mv(process);
}

void World::start(std::size_t i) {
  auto& network = io.provider->getNetwork();
  auto& timer = io.provider->getTimer();
  auto& slot = *slots[i];
  auto process = kj::heap<Process>(*slot.store, [&slot](Step step) { reach(slot, step); });
  process->listener = listen(slot.address);
  node::NodeOptions options;
  options.name = slot.name;
  options.address = slot.address;
  options.masters = {masterAddress};
  options.replica.checkpointBytes = CHECKPOINT_BYTES;
  options.replica.memoryBytes = MEMORY_BYTES;
  options.replica.boundPeriod = 20 * kj::MILLISECONDS;
  auto image = process->store.load().wait(io.waitScope);
  process->node = kj::heap<node::Node>(network, timer, clock, random, process->store, kj::mv(image),
                                       kj::mv(options));
  process->server = kj::heap<Server>(process->node->service(), timer, MAX_CONNECTIONS);
  process->running = process->server->listen(*process->listener)
                         .exclusiveJoin(process->node->run())
                         .eagerlyEvaluate([](kj::Exception&& exception) {
                           KJ_LOG(FATAL, "a node has given up", exception);
                         });
  slot.process = kj::mv(process);
}

void World::kill(std::size_t i, Crash crash) {
  auto& slot = *slots[i];
  slot.process = nullptr;
  slot.store = slot.store->restart(crash == Crash::process ? MemoryStore::Crash::process
                                                           : MemoryStore::Crash::power);
}

std::size_t World::find(Role role) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (runs(i) && replica(i).role() == role) return i;
  }
  KJ_FAIL_ASSERT("no node has that role", roleName(role), describe());
}

kj::Promise<void> World::whenNext(std::size_t i, Step step) {
  auto paf = kj::newPromiseAndFulfiller<void>();
  slots[i]->awaited = step;
  slots[i]->reached = kj::mv(paf.fulfiller);
  return kj::mv(paf.promise);
}

std::unique_ptr<client::Client> World::newClient() {
  seeds.clear();
  for (auto& slot: slots) seeds.push_back(kj::str(slot->address.c_str()));
  client::Client::Limits limits;
  limits.timeout = PATIENCE;
  return std::make_unique<client::Client>(io.provider->getNetwork(), io.provider->getTimer(),
                                          random, kj::arrayPtr(seeds.data(), seeds.size()), limits);
}

bool World::whole() {
  if (!masterRuns()) return false;
  auto& current = master().current();
  unsigned acting = 0;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (!runs(i)) continue;
    auto role = replica(i).role();
    bool serves = role != Role::waiting && role != Role::syncing;
    if (serves && replica(i).newest().epoch == current.epoch) ++acting;
  }
  return acting == replicas;
}

std::string World::describe() {
  std::string text = "master: ";
  text += masterRuns()
              ? std::to_string(master().current().epoch) + " " + master().current().describe()
              : "dead";
  for (std::size_t i = 0; i < slots.size(); ++i) {
    text += "; " + slots[i]->name + ": ";
    if (!runs(i)) {
      text += "dead";
      continue;
    }
    auto& each = replica(i);
    text += std::string(roleName(each.role())) + " epoch " + std::to_string(each.newest().epoch) +
            " last " + std::to_string(each.logEnd().index) + " durable " +
            std::to_string(each.durable()) + " commit " + std::to_string(each.commit());
  }
  return text;
}

kj::Promise<void> World::syncDisks() {
  for (auto& slot: slots) slot->store->syncNow();
  return io.provider->getTimer().afterDelay(SYNC_INTERVAL).then([this]() { return syncDisks(); });
}

void World::taskFailed(kj::Exception&& exception) {
  KJ_LOG(FATAL, "the disks have stopped", exception);
}

}  // namespace gavel::joining
