#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include "schema/snapshot.capnp.h"
#include "store/store.h"

namespace gavel::chain {

struct SnapshotSent {
  std::uint64_t parts = 0;
  std::uint64_t bytes = 0;
};

// Sends everything in `reader` to `sink`, as fast as that takes it, and finishes it.  Fails with
// OVERLOADED if a part is not taken within PART_DEADLINE, as the log is kept meanwhile.  Dropping
// the promise ends it; `reader` and `timer` must outlive it.
constexpr auto PART_DEADLINE = 30 * kj::SECONDS;
kj::Promise<SnapshotSent> sendSnapshot(SnapshotReader& reader, schema::SnapshotSink::Client sink,
                                       kj::Timer& timer);

}  // namespace gavel::chain
