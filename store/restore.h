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

// What came out of a backup.
struct Restored {
  Position position;          // Where the new cluster's log begins: epoch 0, the backup's index.
  std::uint64_t cluster = 0;  // Which it was taken from.
  std::int64_t stamp = 0;     // When, as a wall clock said.
  std::uint64_t parts = 0;
  // It was taken without asking the chain: what it has after the index `committed` was perhaps
  // never acknowledged.
  bool unconfirmed = false;
  std::uint64_t committed = 0;
};

// Makes a new data directory, for a cluster that does not exist yet, from the backup in directory
// `backup` (snapshot.capnp).  It is checked part by part and as a whole.
//
// Throws, or fails with, FAILED and a text for the operator: the data directory is not empty; or
// the backup is missing, cut short, damaged or no backup at all, which the text says of a part.  A
// data directory in which that happened later than with its first part holds a store that knows
// that it is incomplete.
//
// Blocks for reading the file: before a node has anything else to do.
kj::Promise<Restored> restoreBackup(kj::StringPtr backup, kj::StringPtr directory, Random& random,
                                    const RocksStoreOptions& options = {});

}  // namespace gavel
