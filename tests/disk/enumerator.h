#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <kj/async-io.h>

namespace gavel::disk {

struct Options {
  std::uint64_t seed = 1;
  // A history ends after so many operations on the disk.  There are so many histories, each with
  // another seed.
  std::uint64_t operations = 700;
  std::uint64_t histories = 1;
  // Losses of power tried at each operation, or all possible ones if they are fewer.
  unsigned samples = 2;
  // So many crashes may follow each other, each in the recovery from the one before or soon after
  // it.
  unsigned depth = 3;
  // Whether to end with the first failure.
  bool firstFailure = false;
};

struct Summary {
  std::uint64_t operations = 0;
  std::uint64_t points = 0;                     // Operations at which it crashed.
  std::uint64_t states = 0;                     // States from which it recovered.
  std::map<std::string, std::uint64_t> byKind;  // Points, by kind of file.
  std::vector<std::string> failures;

  std::string text() const;
};

// The exit status of a process that runs them, where a store would end its own.
constexpr int ENDED_ITSELF = 3;

// Runs histories of a real store on a disk in memory, and crashes it at each operation that the
// store or RocksDB is about to do.  The process is killed; or power is lost, with any part of what
// was not synced; or a sync fails, and then either.  Another process recovers from what is left,
// and may crash as well, and so on.  In the end everything that was reported durable has to be
// there, nothing that was never written, and no store may call itself damaged.
Summary enumerate(kj::AsyncIoContext& io, const Options& options);

// The kinds of file that have no crash points, though every history has some.  The run then looks
// at less than it should.
std::vector<std::string> kindsMissing(const Summary& summary);

}  // namespace gavel::disk
