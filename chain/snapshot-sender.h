#pragma once

#include <kj/async.h>

#include "chain/store.h"
#include "schema/snapshot.capnp.h"

namespace gavel::chain {

struct SnapshotSent {
  std::uint64_t parts = 0;
  std::uint64_t bytes = 0;
};

// Sends everything in `reader` to `sink`, as fast as that takes it, and finishes it.  Dropping the
// promise ends it; `reader` must outlive it.
kj::Promise<SnapshotSent> sendSnapshot(SnapshotReader& reader, schema::SnapshotSink::Client sink);

}  // namespace gavel::chain
