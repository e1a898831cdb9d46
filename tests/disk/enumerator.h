#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <kj/async-io.h>

namespace gavel::disk {

struct Options {
  std::uint64_t seed = 1;
  // A history ends once it has done so many operations on the disk; there are so many of them, each
  // with another seed.
  std::uint64_t operations = 700;
  std::uint64_t histories = 1;
  // How many losses of power are tried at each operation, where there are not fewer ways for one to
  // end.
  unsigned samples = 2;
  // So many crashes may follow each other, each in the recovery from the one before or soon after.
  unsigned depth = 3;
  // Ends with the first failure.
  bool firstFailure = false;
};

struct Summary {
  std::uint64_t operations = 0;
  std::uint64_t points = 0;                     // Operations at which it crashed.
  std::uint64_t states = 0;                     // That were recovered from.
  std::map<std::string, std::uint64_t> byKind;  // Points, by kind of file.
  std::vector<std::string> failures;

  std::string text() const;
};

// The status with which a process ends that runs them, where a store would end its own.
constexpr int ENDED_ITSELF = 3;

// Runs histories of a real store on a disk in memory, and crashes it at each operation that the
// store or RocksDB is about to do to that: the process is killed, or power is lost and any part of
// what was not synced with it, or a sync fails and then either.  From what is left another process
// recovers, which may crash as well, and so on.  Then all that was told durable has to be there,
// nothing that was never written, and no store may call itself damaged.
Summary enumerate(kj::AsyncIoContext& io, const Options& options);

// The kinds of file that have no crash points, though every history has some: then it looks at less
// than it should.
std::vector<std::string> kindsMissing(const Summary& summary);

}  // namespace gavel::disk
