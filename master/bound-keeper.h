#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include "master/config-store.h"
#include "master/document.h"

namespace gavel::master {

// Keeps the highest position that this master has heard to be committed (R11), and records it
// beside the document whenever it has risen, at most once a second.  No decision waits for that.
class BoundKeeper final: private kj::TaskSet::ErrorHandler {
public:
  // References outlive this object.
  BoundKeeper(kj::Timer& timer, ConfigStore& store);
  KJ_DISALLOW_COPY(BoundKeeper);

  // Reads what is recorded beside the document of that cluster.  The record may lack the last
  // second of the master that wrote it.
  kj::Promise<void> load(std::uint64_t clusterId);

  // Rejects when the store fails (R12).  Never resolves.
  kj::Promise<void> failure() { return kj::mv(failed.promise); }

  // A serving member of `current`, the configuration in force, has reported `bound`.
  void heard(const Configuration& current, const Bound& bound);

  // Returns the position that any log which goes on from `document` has to hold.
  Bound highest(const Document& document) const;

private:
  kj::Timer& timer;
  ConfigStore& store;
  Bound heard_;
  bool due = false;  // A record is under way.
  kj::PromiseFulfillerPair<void> failed;
  kj::TaskSet tasks;

  kj::Promise<void> record(std::uint64_t clusterId);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::master
