#pragma once

#include <cstdint>
#include <vector>

#include <kj/async.h>
#include <kj/common.h>

#include "chain/batch.h"
#include "chain/configuration.h"

namespace gavel::chain {

// What a data directory held when it was opened.
struct Recovered {
  std::uint64_t storeId = 0;    // Made when the directory was formatted.
  Configuration configuration;  // The last one adopted; epoch 0 if none.
  Position logEnd;

  bool fresh() const { return configuration.epoch == 0 && logEnd.index == 0; }
};

// Where a node keeps what must survive it.  Used from one event loop, which it never blocks.
//
// Writes happen in the order of the calls.  A write or sync that fails ends the process (R12):
// there is no error to handle.
class Store {
public:
  virtual ~Store() noexcept(false) = default;

  virtual const Recovered& recovered() const = 0;

  // Queues a batch that follows the log's end.  All that gathers while the disk is busy is written
  // with one sync.
  virtual void append(BatchPtr batch) = 0;

  // Resolves with the highest durable index once that is above `index`.  One caller at a time.
  virtual kj::Promise<std::uint64_t> durableAbove(std::uint64_t index) = 0;

  // Resolves when the configuration is durable, together with everything queued before it.
  virtual kj::Promise<void> saveConfiguration(const Configuration& configuration) = 0;
};

}  // namespace gavel::chain
