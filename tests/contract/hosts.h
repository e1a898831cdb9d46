#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <kj/async-io.h>
#include <kj/async.h>
#include <kj/debug.h>

#include "store/rocks-store.h"
#include "tests/disk/keeper.h"
#include "tests/disk/test-disk.h"
#include "tests/simulation/disk.h"
#include "tests/support/fakes.h"
#include "tests/support/memory-store.h"

// Stores of each kind, and the processes that use one after the other.
//
// A host has these:
//
//   store()                   the store of the process that runs
//   call(function)            the result of the promise that `function(store)` returns
//   start(function, result)   the same, without waiting, while the returned object is kept
//   poll()                    runs all events that are ready
//   act(function)             calls `function(store)`
//   restart(ending)           ends the process, and starts another one
namespace gavel::contract {

enum class Ending {
  inOrder,  // It has synced everything.
  killed,   // What was written is there, synced or not.
  power,    // Only what was synced is there for sure.
};

// The result of a promise.
template <typename T>
struct Result {
  std::optional<T> value;
  std::string error;
  bool overloaded = false;  // It was rejected with OVERLOADED.
  bool done() const { return value.has_value() || !error.empty(); }
};

struct Nothing {};

template <typename T>
auto valued(kj::Promise<T> promise) {
  if constexpr (std::is_void_v<T>) {
    return promise.then([]() { return Nothing(); });
  } else {
    return kj::mv(promise);
  }
}

template <typename Function>
using ValueOf = std::decay_t<decltype(valued(std::declval<std::invoke_result_t<Function, Store&>>())
                                          .wait(std::declval<kj::WaitScope&>()))>;

// Waits for the promise of `function`, and keeps its result in `result`.
template <typename Function, typename T>
kj::Promise<void> keep(Function function, Store& store, Result<T>& result) {
  return kj::evalNow([&]() { return valued(function(store)); })
      .then([&result](T value) { result.value.emplace(kj::mv(value)); },
            [&result](kj::Exception&& exception) {
              result.error = exception.getDescription().cStr();
              result.overloaded = exception.getType() == kj::Exception::Type::OVERLOADED;
            })
      .eagerlyEvaluate(nullptr);
}

// A host with an event loop that a test waits on.
class LoopHost {
public:
  template <typename Function>
  Result<ValueOf<Function>> call(Function function) {
    Result<ValueOf<Function>> result;
    keep(kj::mv(function), store(), result).wait(io.waitScope);
    return result;
  }
  template <typename Function>
  kj::Promise<void> start(Function function, Result<ValueOf<Function>>& result) {
    return keep(kj::mv(function), store(), result);
  }
  // Runs all events that are ready.
  void poll() {
    kj::evalLater([]() {}).wait(io.waitScope);
    io.waitScope.poll();
  }
  template <typename Function>
  void act(Function function) {
    function(store());
  }
  virtual Store& store() = 0;
  virtual ~LoopHost() noexcept(false) = default;

protected:
  kj::AsyncIoContext io = kj::setupAsyncIo();
};

// MemoryStore, which syncs at once.
class MemoryHost final: public LoopHost {
public:
  static constexpr const char* NAME = "MemoryStore";

  Store& store() override { return *store_; }
  void restart(Ending ending) {
    store_ = store_->restart(ending == Ending::power ? MemoryStore::Crash::power
                                                     : MemoryStore::Crash::process);
  }

private:
  kj::Own<MemoryStore> store_ = kj::heap<MemoryStore>(7, MemoryStore::Sync::atOnce);
};

// The store for disks, on a disk in memory.
class RocksHost final: public LoopHost {
public:
  static constexpr const char* NAME = "RocksStore";

  RocksHost() {
    disk::Contents contents;
    contents.make(contents.placeOf("/var"), true);
    contents.syncNames(disk::Contents::ROOT);
    open(kj::mv(contents));
  }
  ~RocksHost() noexcept(false) override { store_ = nullptr; }

  Store& store() override { return *store_; }
  void restart(Ending ending) {
    if (ending == Ending::inOrder) store_ = nullptr;
    auto contents = disk->contents();
    store_ = nullptr;
    if (ending == Ending::power)
      contents = contents.afterPowerLoss([](disk::Contents::Id) { return false; });
    open(kj::mv(contents));
  }

private:
  gavel::testing::SeededRandom random{1};
  std::unique_ptr<disk::TestDisk> disk;
  kj::Own<RocksStore> store_;

  void open(disk::Contents contents) {
    disk = std::make_unique<disk::TestDisk>(kj::mv(contents));
    auto options = disk::Keeper::options(*disk);
    options.retainBytes = MemoryStore::Options().retainedBytes;
    options.segmentBytes = 8192;
    store_ = kj::heap<RocksStore>(disk::Keeper::DIRECTORY, options, random);
  }
};

// The disk of a machine of the simulation.
class SimulatedHost final {
public:
  static constexpr const char* NAME = "simulation::Disk";

  SimulatedHost() { open(); }
  ~SimulatedHost() noexcept(false) {
    if (process != nullptr) end(Ending::killed);
    engine.shutDown();
  }

  Store& store() { return *store_; }
  template <typename Function>
  Result<ValueOf<Function>> call(Function function) {
    Result<ValueOf<Function>> result;
    kj::Promise<void> waiting = nullptr;
    engine.deliver(*process, [&]() { waiting = keep(kj::mv(function), *store_, result); });
    engine.run(engine.now() + 10 * kj::SECONDS, [&]() { return result.done(); });
    KJ_ASSERT(result.done(), "nothing came of it");
    return result;
  }
  template <typename Function>
  kj::Promise<void> start(Function function, Result<ValueOf<Function>>& result) {
    kj::Promise<void> waiting = nullptr;
    engine.deliver(*process, [&]() { waiting = keep(kj::mv(function), *store_, result); });
    return waiting;
  }
  void poll() {
    engine.run(engine.now() + 2 * kj::SECONDS, []() { return false; });
  }
  template <typename Function>
  void act(Function function) {
    engine.deliver(*process, [&]() { function(*store_); });
  }
  void restart(Ending ending) {
    if (ending == Ending::inOrder) poll();
    end(ending);
    open();
  }

private:
  simulation::Trace trace{simulation::Trace::Detail::none};
  simulation::Engine engine{trace};
  std::int64_t wallOffset = 0;
  simulation::Disk disk{engine, simulation::Dice(5), simulation::Disk::Settings{}};
  simulation::Process* process = nullptr;
  Store* store_ = nullptr;

  void open() {
    process = &engine.newProcess("p", simulation::Dice(6), wallOffset);
    engine.deliver(*process, [this]() {
      auto opened = disk.open(*process);
      store_ = opened.get();
      process->program = kj::mv(opened);
    });
  }
  void end(Ending ending) {
    process->onDeath = [this, ending]() {
      ending == Ending::power ? disk.powerLost() : disk.processEnded();
    };
    engine.kill(*process, "test");
    process = nullptr;
  }
};

}  // namespace gavel::contract
