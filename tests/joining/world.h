#pragma once

#include <memory>
#include <string>
#include <vector>

#include <kj/async-io.h>
#include <kj/debug.h>

#include "base/server.h"
#include "client/client.h"
#include "master/master.h"
#include "node/node.h"
#include "tests/joining/step-store.h"
#include "tests/support/fakes.h"
#include "tests/support/loopback.h"
#include "tests/support/workload.h"

namespace gavel::joining {

// A master and nodes of the real code in this thread, over loopback and in real time.  Their stores
// are in memory and survive the processes, except for what was not synced when power was lost.
class World final: public gavel::testing::Target, private kj::TaskSet::ErrorHandler {
public:
  // The end of a process: what it has written and not synced stays (process), or is lost (power).
  enum class Crash { process, power };

  // Forms a chain of n1, n2, … with a log that is truncated soon, or never.
  World(kj::AsyncIoContext& io, unsigned replicas, bool truncating);
  ~World() noexcept(false);
  KJ_DISALLOW_COPY(World);

  void startMaster();
  void killMaster() { masterProcess = nullptr; }
  bool masterRuns() const { return masterProcess.get() != nullptr; }
  master::Master& master() { return *masterProcess->master; }

  void start(std::size_t i);
  void kill(std::size_t i, Crash crash);
  // Replaces the contents of its disk.
  void putBack(std::size_t i, kj::Own<MemoryStore> store) { slots[i]->store = kj::mv(store); }
  bool runs(std::size_t i) const { return slots[i]->process.get() != nullptr; }
  std::size_t size() const { return slots.size(); }
  node::Node& node(std::size_t i) { return *slots[i]->process->node; }
  chain::Replica& replica(std::size_t i) { return node(i).replica(); }
  // The store, which survives the process.
  MemoryStore& store(std::size_t i) { return *slots[i]->store; }
  // The number of the member with this role.
  std::size_t find(Role role);

  // Resolves the next time that node `i` takes that step, or that the master takes it for the node.
  kj::Promise<void> whenNext(std::size_t i, Step step);

  std::unique_ptr<client::Client> newClient() override;
  std::string logs() const override { return {}; }

  template <typename T>
  T within(kj::Promise<T> promise, const char* what) {
    return io.provider->getTimer()
        .timeoutAfter(PATIENCE, kj::mv(promise))
        .catch_([what](kj::Exception&& exception) -> kj::Promise<T> {
          KJ_FAIL_ASSERT("gave up waiting", what, exception);
        })
        .wait(io.waitScope);
  }
  // Runs the event loop until `condition` holds, and returns how long that took.
  template <typename Condition>
  kj::Duration until(const char* what, Condition condition) {
    auto& clock = kj::systemPreciseMonotonicClock();
    auto begin = clock.now();
    while (!condition()) {
      KJ_ASSERT(clock.now() - begin < PATIENCE, "gave up waiting", what, describe());
      io.provider->getTimer().afterDelay(200 * kj::MICROSECONDS).wait(io.waitScope);
    }
    return clock.now() - begin;
  }

  // Whether the chain has its full length, and all members serve and act in the newest
  // configuration.
  bool whole();
  std::string describe();

private:
  static constexpr auto PATIENCE = 20 * kj::SECONDS;

  struct Process {
    StepStore store;
    kj::Own<kj::ConnectionReceiver> listener;
    kj::Own<node::Node> node;
    kj::Own<Server> server;
    kj::Promise<void> running = nullptr;

    Process(MemoryStore& inner, kj::Function<void(Step)> tell): store(inner, kj::mv(tell)) {}
  };
  struct Slot {
    std::string name;
    std::string address = gavel::testing::ownAddress();
    kj::Own<MemoryStore> store;
    kj::Own<Process> process;
    Step awaited = Step::none;
    kj::Own<kj::PromiseFulfiller<void>> reached;
  };
  struct MasterProcess {
    kj::Own<kj::ConnectionReceiver> listener;
    kj::Own<master::Master> master;
    kj::Own<Server> server;
    kj::Promise<void> running = nullptr;
  };

  kj::AsyncIoContext& io;
  RealClock clock;
  SystemRandom random;
  unsigned replicas;
  bool truncating;
  StepConfigStore masterStore;
  std::string masterAddress = gavel::testing::ownAddress();
  kj::Own<MasterProcess> masterProcess;
  std::vector<kj::Own<Slot>> slots;
  std::vector<kj::String> seeds;
  kj::TaskSet tasks;

  static void reach(Slot& slot, Step step);
  kj::Own<kj::ConnectionReceiver> listen(std::string& address);
  kj::Promise<void> syncDisks();
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::joining
