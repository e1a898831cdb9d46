#pragma once

#include <memory>

#include "store/rocks-committed.h"
#include "store/store.h"

namespace gavel {

// Reads the checkpoint that is the newest when this is made.  The reader may outlive the store, but
// then it cannot be read any more.
kj::Own<SnapshotReader> openRocksSnapshot(std::shared_ptr<RocksShared> shared);

}  // namespace gavel
