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

// How long the receiver may take for one part.  The log is kept meanwhile.
constexpr auto PART_DEADLINE = 30 * kj::SECONDS;
// Sends everything in `reader` to `sink`, as fast as that takes it, and finishes it.  Fails with
// OVERLOADED if a part is not taken within PART_DEADLINE.  Dropping the promise ends it.  `reader`
// and `timer` outlive it.
kj::Promise<SnapshotSent> sendSnapshot(SnapshotReader& reader, schema::SnapshotSink::Client sink,
                                       kj::Timer& timer);

}  // namespace gavel::chain
