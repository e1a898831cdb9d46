#include "chain/memory-store.h"

namespace gavel::chain {

void MemoryStore::syncNow() {
  if (!log.empty()) durable = log.back()->lastIndex();
  for (auto& save: saves) save->fulfill();
  saves.clear();
  bool reached = false;
  KJ_IF_MAYBE (waiting, waiter) {
    reached = durable > waiting->above;
    if (reached) waiting->fulfiller->fulfill(kj::cp(durable));
  }
  if (reached) waiter = nullptr;
}

void MemoryStore::append(BatchPtr batch) {
  log.push_back(std::move(batch));
  if (sync == Sync::atOnce) syncNow();
}

kj::Promise<std::uint64_t> MemoryStore::durableAbove(std::uint64_t index) {
  if (durable > index) return durable;
  auto paf = kj::newPromiseAndFulfiller<std::uint64_t>();
  waiter = Waiter{index, kj::mv(paf.fulfiller)};
  return kj::mv(paf.promise);
}

kj::Promise<void> MemoryStore::saveConfiguration(const Configuration& configuration) {
  saved = configuration;
  if (sync == Sync::atOnce) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  saves.push_back(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

}  // namespace gavel::chain
