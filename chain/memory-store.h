#pragma once

#include <kj/async.h>

#include "chain/store.h"

namespace gavel::chain {

// A store without a disk, for tests and simulation.  What was written becomes durable when the
// owner says so, or at once.
class MemoryStore final: public Store {
public:
  enum class Sync { atOnce, manual };

  MemoryStore(std::uint64_t storeId, Sync sync): sync(sync) { recovered_.storeId = storeId; }

  // Makes all that was appended and saved so far durable.
  void syncNow();

  const std::vector<BatchPtr>& batches() const { return log; }
  const Configuration& configuration() const { return saved; }

  const Recovered& recovered() const override { return recovered_; }
  void append(BatchPtr batch) override;
  kj::Promise<std::uint64_t> durableAbove(std::uint64_t index) override;
  kj::Promise<void> saveConfiguration(const Configuration& configuration) override;

private:
  struct Waiter {
    std::uint64_t above;
    kj::Own<kj::PromiseFulfiller<std::uint64_t>> fulfiller;
  };

  Sync sync;
  Recovered recovered_;
  std::vector<BatchPtr> log;
  Configuration saved;
  std::uint64_t durable = 0;
  kj::Maybe<Waiter> waiter;
  std::vector<kj::Own<kj::PromiseFulfiller<void>>> saves;
};

}  // namespace gavel::chain
