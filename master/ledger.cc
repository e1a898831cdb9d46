#include "master/ledger.h"

#include <utility>

#include <kj/debug.h>

namespace gavel::master {

kj::Promise<kj::Own<Ledger>> Ledger::open(ConfigStore& store) {
  return store.get().then(
      [&store](Stored&& stored) { return kj::heap<Ledger>(store, kj::mv(stored)); });
}

Ledger::Ledger(ConfigStore& store, Stored&& stored)
    : store(store), version(stored.version), newest(Document::decode(stored.document)) {}

kj::Promise<void> Ledger::replace(const Document& next) {
  KJ_REQUIRE(!busy());
  auto done = kj::newPromiseAndFulfiller<void>();
  writing = done.promise.fork();
  return store.compareAndSwap(version, next.encode())
      .then([this](kj::Maybe<std::uint64_t>&&) {
        // Whether the swap has succeeded or not, what counts is what can be read now.
        return store.get();
      })
      .then([this](Stored&& stored) { adopt(kj::mv(stored)); })
      .attach(kj::defer([this, fulfiller = kj::mv(done.fulfiller)]() mutable {
        writing = nullptr;
        fulfiller->fulfill();
      }));
}

kj::Promise<void> Ledger::follow(kj::Function<void()> changed) {
  this->changed = kj::mv(changed);
  return watch();
}

kj::Promise<void> Ledger::watch() {
  return store.watch(version)
      .then([this](Stored&& stored) -> kj::Promise<void> {
        // This may be our own change, which replace() reads back.
        KJ_IF_MAYBE (write, writing) {
          return write->addBranch();
        }
        // This answer may have been on its way while replace() has read something newer.
        if (stored.version > version && adopt(kj::mv(stored))) {
          KJ_IF_MAYBE (callback, changed) {
            (*callback)();
          }
        }
        return kj::READY_NOW;
      })
      .then([this]() { return watch(); });
}

bool Ledger::adopt(Stored&& stored) {
  if (stored.version == version) return false;
  KJ_REQUIRE(stored.version > version,
             "the master's store has gone back to an older version: was it replaced by a copy?",
             stored.version, version);
  auto document = Document::decode(stored.document);
  auto& before = newest.current();
  auto& after = document.current();
  KJ_REQUIRE(newest.clusterId == 0 || newest.clusterId == document.clusterId,
             "the master's store now belongs to another cluster", newest.clusterId,
             document.clusterId);
  KJ_REQUIRE(after.epoch > before.epoch || after == before,
             "the master's store holds another configuration than the one it held for this epoch",
             before.epoch, after.epoch);
  version = stored.version;
  newest = std::move(document);
  return true;
}

}  // namespace gavel::master
