#include "master/config-store.h"

namespace gavel::master {

kj::Promise<Stored> Watchers::wait(std::uint64_t version) {
  auto paf = kj::newPromiseAndFulfiller<Stored>();
  waiting.add(Waiting{version, kj::mv(paf.fulfiller)});
  return kj::mv(paf.promise);
}

void Watchers::notify(std::uint64_t version, kj::ArrayPtr<const kj::byte> document) {
  kj::Vector<Waiting> rest;
  for (auto& each: waiting) {
    if (!each.fulfiller->isWaiting()) continue;  // The caller has dropped its promise.
    if (each.version < version) {
      each.fulfiller->fulfill(Stored{version, kj::heapArray<kj::byte>(document)});
    } else {
      rest.add(kj::mv(each));
    }
  }
  waiting = kj::mv(rest);
}

}  // namespace gavel::master
