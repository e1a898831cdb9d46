#pragma once

#include <cstdint>
#include <string>

#include <kj/async.h>
#include <kj/string.h>

#include "base/random.h"
#include "store/rocks-store.h"

namespace gavel {

// The file in a backup's directory.
constexpr char BACKUP_FILE[] = "snapshot";

// What was read from a backup.
struct Restored {
  Position position;          // Where the new cluster's log begins: epoch 0, the backup's index.
  std::uint64_t cluster = 0;  // The cluster that it was taken from.
  std::int64_t stamp = 0;     // When it was taken, by a wall clock: ns since the Unix epoch.
  std::uint64_t parts = 0;
  // It was taken without asking the chain.  Entries after the index `committed` may never
  // have been acknowledged.
  bool unconfirmed = false;
  std::uint64_t committed = 0;
};

// Makes a new data directory, for a cluster that does not exist yet, from the backup in directory
// `backup` (snapshot.capnp).  The backup is checked part by part and as a whole.
//
// Throws or fails with FAILED and a text for the operator: the data directory is not empty; or the
// backup is missing, cut short, damaged or no backup at all.  The text names the part that is
// damaged.  The data directory is touched only once the backup's header is sound.  If a later part
// is damaged, the directory holds a store that knows that it is incomplete.
//
// Blocks while it reads the file, so it is called before a node has anything else to do.
kj::Promise<Restored> restoreBackup(kj::StringPtr backup, kj::StringPtr directory, Random& random,
                                    const RocksStoreOptions& options = {});

}  // namespace gavel
