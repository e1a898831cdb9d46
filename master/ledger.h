#pragma once

#include <kj/async.h>
#include <kj/function.h>

#include "master/config-store.h"
#include "master/document.h"

namespace gavel::master {

// This master's view of the document in the store.  It is always something that was read back from
// the store (R3).
//
// If the store fails, or holds a document that cannot follow the one before, the promise is
// rejected; the process should end then (R12).
class Ledger {
public:
  // Reads what is stored.  `store` must outlive this object.
  static kj::Promise<kj::Own<Ledger>> open(ConfigStore& store);

  Ledger(ConfigStore& store, Stored&& stored);
  KJ_DISALLOW_COPY(Ledger);

  const Document& document() const { return newest; }
  const Configuration& current() const { return newest.current(); }

  // Stores `next` if nobody has changed the document since document() was read.  When the promise
  // resolves, document() is what is stored: `next` or another master's.  One call at a time: see
  // busy().
  kj::Promise<void> replace(const Document& next);
  bool busy() const { return writing != nullptr; }

  // Calls `changed` after each change by another master.  Never resolves.  `changed` must not
  // throw.
  kj::Promise<void> follow(kj::Function<void()> changed);

private:
  ConfigStore& store;
  std::uint64_t version;
  Document newest;
  kj::Maybe<kj::ForkedPromise<void>> writing;  // Resolves when replace() has ended.
  kj::Maybe<kj::Function<void()>> changed;

  kj::Promise<void> watch();
  // Returns whether the document differs from the one before.
  bool adopt(Stored&& stored);
};

}  // namespace gavel::master
