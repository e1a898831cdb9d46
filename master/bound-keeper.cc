#include "master/bound-keeper.h"

#include <utility>

namespace gavel::master {
namespace {

constexpr auto RECORD_PERIOD = 1 * kj::SECONDS;

}  // namespace

BoundKeeper::BoundKeeper(kj::Timer& timer, ConfigStore& store)
    : timer(timer), store(store), failed(kj::newPromiseAndFulfiller<void>()), tasks(*this) {}

kj::Promise<void> BoundKeeper::load(std::uint64_t clusterId) {
  return store.getNote().then([this, clusterId](kj::Array<const kj::byte>&& note) {
    heard_ = decodeBound(clusterId, note);
  });
}

void BoundKeeper::heard(const Configuration& current, const Bound& bound) {
  if (!bound.counts(current.restartedIn)) return;
  if (heard_.counts(current.restartedIn) && bound.at.index <= heard_.at.index) return;
  heard_ = bound;
  if (due) return;
  due = true;
  tasks.add(record(current.clusterId));
}

// A bound that arrives during the write, or in the rest of the second, is in the next record.
kj::Promise<void> BoundKeeper::record(std::uint64_t clusterId) {
  auto written = heard_;
  return store.putNote(encodeBound(clusterId, written))
      .then([this]() { return timer.afterDelay(RECORD_PERIOD); })
      .then([this, clusterId, written]() -> kj::Promise<void> {
        if (heard_ != written) return record(clusterId);
        due = false;
        return kj::READY_NOW;
      });
}

Bound BoundKeeper::highest(const Document& document) const {
  return Bound::highest(document.bound, heard_, document.current().restartedIn);
}

void BoundKeeper::taskFailed(kj::Exception&& exception) {
  failed.fulfiller->reject(kj::mv(exception));
}

}  // namespace gavel::master
