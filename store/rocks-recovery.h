#pragma once

#include <memory>
#include <string>

#include "base/random.h"
#include "log/durable-marker.h"
#include "log/log-window.h"
#include "log/segmented-log.h"
#include "store/rocks-database.h"
#include "store/rocks-store.h"
#include "store/store.h"

namespace gavel {

// A data directory that was opened, with all that its store starts from.
struct Opened {
  std::unique_ptr<RocksDatabase> database;
  std::unique_ptr<MarkerFile> markerFile;
  DurableMarker marker;  // What the file holds.
  Recovered recovered;
  Position checkpoint;
  LogWindow window;  // The log from its start to its end.
  bool installing = false;
  std::unique_ptr<SegmentedLog> log = nullptr;
};

// Opens `path`, and formats it if it is empty or missing.  All that it returns is durable, with the
// new generation: what was found is written anew where it is not known to be durable (R2).  Throws
// FAILED with a text for the operator; with `replaceDamaged`, what is damaged is set aside instead.
// With SyncMode::never it notes that what this process will call durable may not be, until the
// process ends in order.
Opened openDataDirectory(kj::StringPtr path, const RocksStoreOptions& options, Random& random);

}  // namespace gavel
