#include "tests/support/memory-config-store.h"

namespace gavel::master {

kj::Promise<Stored> MemoryConfigStore::get() {
  return Stored{stored.version, kj::heapArray<kj::byte>(stored.document)};
}

kj::Promise<kj::Maybe<std::uint64_t>> MemoryConfigStore::compareAndSwap(
    std::uint64_t expectedVersion, kj::Array<const kj::byte> document) {
  if (stored.version != expectedVersion) return kj::Maybe<std::uint64_t>(nullptr);
  stored.document = kj::mv(document);
  ++stored.version;
  watchers.notify(stored.version, stored.document);
  return kj::Maybe<std::uint64_t>(stored.version);
}

kj::Promise<Stored> MemoryConfigStore::watch(std::uint64_t version) {
  if (stored.version > version) return get();
  return watchers.wait(version);
}

kj::Promise<void> MemoryConfigStore::putNote(kj::Array<const kj::byte> next) {
  note = kj::mv(next);
  return kj::READY_NOW;
}

kj::Promise<kj::Array<const kj::byte>> MemoryConfigStore::getNote() {
  return kj::Array<const kj::byte>(kj::heapArray<kj::byte>(note));
}

}  // namespace gavel::master
