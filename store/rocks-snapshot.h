#pragma once

#include <memory>

#include "store/rocks-committed.h"
#include "store/store.h"

namespace gavel {

// Reads the checkpoint that is the newest when this is made.  May outlive the store, but cannot be
// read any more then.
kj::Own<SnapshotReader> openRocksSnapshot(std::shared_ptr<RocksShared> shared);

}  // namespace gavel
