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

kj::Promise<Stored> MemoryStore::get() {
  return Stored{stored.version, kj::heapArray<kj::byte>(stored.document)};
}

kj::Promise<kj::Maybe<std::uint64_t>> MemoryStore::compareAndSwap(
    std::uint64_t expectedVersion, kj::Array<const kj::byte> document) {
  if (stored.version != expectedVersion) return kj::Maybe<std::uint64_t>(nullptr);
  stored.document = kj::mv(document);
  ++stored.version;
  watchers.notify(stored.version, stored.document);
  return kj::Maybe<std::uint64_t>(stored.version);
}

kj::Promise<Stored> MemoryStore::watch(std::uint64_t version) {
  if (stored.version > version) return get();
  return watchers.wait(version);
}

kj::Promise<void> MemoryStore::putNote(kj::Array<const kj::byte> next) {
  note = kj::mv(next);
  return kj::READY_NOW;
}

kj::Promise<kj::Array<const kj::byte>> MemoryStore::getNote() {
  return kj::Array<const kj::byte>(kj::heapArray<kj::byte>(note));
}

}  // namespace gavel::master
