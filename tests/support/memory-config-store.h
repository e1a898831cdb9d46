#pragma once

#include "master/config-store.h"

namespace gavel::master {

// Keeps the document in memory.  Several masters may share it.
class MemoryConfigStore final: public ConfigStore {
public:
  kj::Promise<Stored> get() override;
  kj::Promise<kj::Maybe<std::uint64_t>> compareAndSwap(std::uint64_t expectedVersion,
                                                       kj::Array<const kj::byte> document) override;
  kj::Promise<Stored> watch(std::uint64_t version) override;
  kj::Promise<void> putNote(kj::Array<const kj::byte> note) override;
  kj::Promise<kj::Array<const kj::byte>> getNote() override;

private:
  Stored stored;
  kj::Array<const kj::byte> note;
  Watchers watchers;
};

}  // namespace gavel::master
