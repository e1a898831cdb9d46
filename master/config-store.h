#pragma once

#include <cstdint>

#include <kj/array.h>
#include <kj/async.h>
#include <kj/vector.h>

namespace gavel::master {

// One version of the document.
struct Stored {
  // Grows with each replacement.  0: nothing is stored yet, and `document` is empty.
  std::uint64_t version = 0;
  kj::Array<const kj::byte> document;
};

// Where masters keep their one document.  It is the only judge between two masters that both
// believe they lead (R3).  What the bytes mean is the caller's affair.
//
// After a failure it is unknown whether the method has had its effect.  Storage that may be damaged
// fails with a text for the operator, and the process should end (R12).
class ConfigStore {
public:
  virtual ~ConfigStore() noexcept(false) = default;

  // Returns what is stored.
  virtual kj::Promise<Stored> get() = 0;

  // Replaces the document if its version is `expectedVersion`, and returns the new version.  It is
  // durable when the promise resolves.  Changes nothing and returns null if the version is another.
  virtual kj::Promise<kj::Maybe<std::uint64_t>> compareAndSwap(
      std::uint64_t expectedVersion, kj::Array<const kj::byte> document) = 0;

  // Resolves with what is stored as soon as its version is above `version`.
  virtual kj::Promise<Stored> watch(std::uint64_t version) = 0;

  // Writes a note beside the document.  The last note stands, whoever wrote it, and no swap waits
  // for it.  It is durable when the promise resolves.
  virtual kj::Promise<void> putNote(kj::Array<const kj::byte> note) = 0;
  // Returns the note; empty if there is none.
  virtual kj::Promise<kj::Array<const kj::byte>> getNote() = 0;
};

// The callers that wait for a version, for implementations of ConfigStore.
class Watchers {
public:
  kj::Promise<Stored> wait(std::uint64_t version);
  void notify(std::uint64_t version, kj::ArrayPtr<const kj::byte> document);

private:
  struct Waiting {
    std::uint64_t version;
    kj::Own<kj::PromiseFulfiller<Stored>> fulfiller;
  };
  kj::Vector<Waiting> waiting;
};

}  // namespace gavel::master
