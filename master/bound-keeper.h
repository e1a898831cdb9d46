#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include "master/config-store.h"
#include "master/document.h"

namespace gavel::master {

// The highest position that this master has heard of as committed (R11), and its record beside the
// document: written each time it has risen, at most once a second.  No decision waits for that.
class BoundKeeper final: private kj::TaskSet::ErrorHandler {
public:
  // References outlive this object.
  BoundKeeper(kj::Timer& timer, ConfigStore& store);
  KJ_DISALLOW_COPY(BoundKeeper);

  // Takes what is recorded beside the document of that cluster, as of the last second before the
  // master that wrote it ended.
  kj::Promise<void> load(std::uint64_t clusterId);

  // Rejects when the store failed (R12).  Never resolves.
  kj::Promise<void> failure() { return kj::mv(failed.promise); }

  // A serving member of `current`, the configuration in force, told that.
  void heard(const Configuration& current, const Bound& bound);

  // What has to be in any log that goes on from `document`.
  Bound highest(const Document& document) const;

private:
  kj::Timer& timer;
  ConfigStore& store;
  Bound heard_;
  bool due = false;  // It is about to be recorded.
  kj::PromiseFulfillerPair<void> failed;
  kj::TaskSet tasks;

  kj::Promise<void> record(std::uint64_t clusterId);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::master
