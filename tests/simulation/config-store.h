#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "master/config-store.h"
#include "master/document.h"
#include "tests/simulation/engine.h"

namespace gavel::simulation {

// The one document that all masters share, on a service of its own that never fails.  Each call
// takes time to get there, and to come back.
class SharedConfigStore final {
public:
  // The progress of a master with a decision of its own.
  enum class Step {
    none,
    asked,      // The swap has arrived at the store and is not done yet.
    swapped,    // It is done, and the master does not know it.
    readBack,   // The master knows that it won, and reads the document back.
    announced,  // It has read it, and has sent it to the nodes.
  };

  // `longestDelay`: of a message to the store, or back.
  SharedConfigStore(Engine& engine, Dice dice, Time longestDelay)
      : engine(engine), dice(dice), longestDelay(longestDelay) {}
  KJ_DISALLOW_COPY(SharedConfigStore);

  // From now on each message takes exactly `delay`.
  void setFixedDelay(Time delay) { fixedDelay = delay; }

  // For one process.  Must not outlive this object.
  kj::Own<master::ConfigStore> open(Process& process);

  // Called for each step, from an event of the world: it may kill the process.
  std::function<void(Step, Process&)> onStep;
  // Called for each change, before anybody learns of it.
  std::function<void(const master::Document& before, const master::Document& after)> onChange;

  // The document in force, as far as the world knows: while this store is lost, that of the lost
  // one.
  const master::Document& document() const { return lost() ? heir->document() : document_; }
  const Configuration& current() const { return document().current(); }
  // The current one, and those that masters, ended ones too, have sent and that may yet follow it.
  // One of all these is in force once everything has arrived.
  std::vector<Configuration> upcoming() const;

  // The disk is lost.  Its contents go to `other`, which only a master that is started on it knows,
  // and this store becomes empty.  No master may run on either.
  void lose(SharedConfigStore& other);
  // Whether the store was lost, and nothing was stored since.
  bool lost() const { return heir != nullptr && version == 0; }
  // The highest position that is recorded as committed, in the document or beside it (R11).
  Bound bound() const;

private:
  class View;
  struct Watcher {
    Process& process;
    std::uint64_t version;
    kj::Own<kj::PromiseFulfiller<master::Stored>> fulfiller;
  };

  Engine& engine;
  Dice dice;
  Time longestDelay;
  std::optional<Time> fixedDelay;
  std::uint64_t version = 0;
  kj::Array<const kj::byte> bytes;
  kj::Array<const kj::byte> note;
  master::Document document_;
  SharedConfigStore* heir = nullptr;  // The store to which the lost contents have gone.
  std::vector<Watcher> watchers;
  struct Swap {
    std::uint64_t expected;
    kj::Array<const kj::byte> document;
  };
  std::map<std::uint64_t, Swap> underWay;  // Not here yet; by number.
  std::uint64_t lastSwap = 0;

  Time delay() {
    return fixedDelay ? *fixedDelay : dice.skewed(20 * kj::MICROSECONDS, longestDelay);
  }
  master::Stored stored() const { return {version, kj::heapArray<kj::byte>(bytes)}; }
  kj::Maybe<std::uint64_t> swap(std::uint64_t expected, kj::Array<const kj::byte> next);
  void tell(Step step, Process& process);
  // Sends what is stored; once that has arrived, the step is `after`.
  void answer(Process& process, kj::Own<kj::PromiseFulfiller<master::Stored>> fulfiller,
              Step after);
};

}  // namespace gavel::simulation
