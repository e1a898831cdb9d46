#pragma once

#include <string>

#include <capnp/message.h>
#include <kj/filesystem.h>

#include "schema/snapshot.capnp.h"

namespace gavel::client::cli {

// A backup that is being written to DIR/snapshot, a sequence of SnapshotPart messages
// (schema/snapshot.capnp).
//
// It is written under a hidden temporary name, and renamed when it is complete and on disk.  So a
// write that ends early leaves no file that looks complete.  An existing file is never replaced.
// The parts are checked: their order, that none is missing, and their checksums.
//
// All methods write to the disk at once, on the calling thread.  They throw kj::Exception FAILED
// with a text for the operator.  After that, or after abandon(), only abandon() may be called.
class BackupFile {
public:
  static constexpr char NAME[] = "snapshot";

  // Makes `directory` if it is missing.
  explicit BackupFile(const std::string& directory);
  KJ_DISALLOW_COPY(BackupFile);

  void begin(schema::SnapshotHeader::Reader header);
  void write(schema::Records::Reader records);
  // Completes the file.  `expected`: how often write() should have been called.
  void finish(std::uint64_t expected);
  // Removes what was written, unless the file is complete.
  void abandon() { file = nullptr; }

  bool complete() const { return complete_; }
  std::uint64_t parts() const { return parts_; }
  // Bytes written so far.
  std::uint64_t bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

private:
  std::string path_;
  kj::Own<kj::Filesystem> filesystem;
  kj::Own<const kj::Directory> directory;
  kj::Own<kj::Directory::Replacer<kj::File>> file;  // Null once the file is abandoned or complete.
  bool begun = false;
  bool complete_ = false;
  std::uint64_t parts_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t synced = 0;    // Bytes that are on disk.
  std::uint64_t checksum = 0;  // Checksum of the last part.

  void append(capnp::MessageBuilder& message);
  // Calls `action`, and adds the name of this file to what it throws.
  template <typename Action>
  void onDisk(const char* what, Action action);
};

}  // namespace gavel::client::cli
