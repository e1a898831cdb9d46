#pragma once

#include <memory>
#include <string>

#include <kj/common.h>
#include <kj/string.h>

#include "base/file-system.h"

namespace gavel {

// The version of a data directory's format.  It is raised whenever an older program could not go on
// with what a newer one leaves (R14).
constexpr unsigned DATA_FORMAT = 7;

// The directory in which a node keeps its data, of format 7 (see docs/data-directory.md):
//
//   lock            empty; locked by the process that uses the directory
//   durable         what of the log and the database is durable at least (durable-marker.h)
//   db/             the RocksDB database (rocks-database.h)
//   db-new/         the same while it is being made
//   log/            segment-1, segment-2, ...: the log (segmented-log.h)
//   dropped-N       log that the operator's order of epoch N gave up, copied before it was dropped
//                   (rocks-aside.h); usually absent
//   dropped-N-new   the same while it is being written
//   damaged         why nothing in here may be used any more, as text; usually absent
//   failed          which write or sync has failed, as text; there until a start has made up for it
//                   (R2)
//   set-aside-N/    what there was of db, db-new, log, durable, failed and damaged before the node
//                   began anew; lock, dropped-N and earlier set-aside-N stay where they are
//
// Format 1 had the database's files directly in the directory.
class DataDirectory {
public:
  // Takes the directory for this process, and makes it if it is missing.  Throws FAILED with a text
  // for the operator: not a directory, no permission, in use by another process, of format 1.
  explicit DataDirectory(kj::StringPtr path, FileSystem& files = machineFiles());
  KJ_DISALLOW_COPY(DataDirectory);

  kj::StringPtr path() const { return path_; }
  FileSystem& files() const { return files_; }
  std::string db() const { return file("db"); }
  std::string log() const { return file("log"); }
  std::string marker() const { return file("durable"); }
  // Where the log is kept that an operator's order gave up in `epoch` (R11).
  std::string dropped(std::uint64_t epoch) const {
    return file(("dropped-" + std::to_string(epoch)).c_str());
  }
  // Where a database is made before it takes its place.
  std::string unfinishedDb() const { return file("db-new"); }

  // Why it is damaged, as it was noted; null if no damage was noted.
  kj::Maybe<std::string> damage() const;
  static kj::Maybe<std::string> damage(const std::string& path, FileSystem& files);
  // Notes durably that it is damaged, as far as the disk still takes that.  Called on any thread.
  void noteDamage(const std::string& reason) const;
  // Throws FAILED if damage was noted, with what can be done.
  void refuseDamaged() const;

  // Which write or sync has failed, as it was noted; null if none was.
  kj::Maybe<std::string> failure() const;
  // Notes durably that one has failed, as far as the disk still takes that.  Called on any thread.
  void noteFailure(const std::string& what) const;
  // Removes the note: this start has made up for it.
  void forgetFailure() const;

  // Moves what is there into a new set-aside-N, so that the directory can be formatted anew.
  // Returns the path of that.
  std::string setAside() const;

  // Makes durable which files there are.
  void sync() const;
  // Does the same for the directories that it is in, as far as they may be looked at.
  void syncParents() const;

  // Throws FAILED with what is wrong with which directory, for the operator,
  // without source positions.
  [[noreturn]] void refuse(kj::StringPtr problem, const std::string& why) const;

private:
  kj::String path_;
  FileSystem& files_;
  std::unique_ptr<File> lock;

  std::string file(const char* name) const;
  bool has(const char* name) const { return files_.exists(file(name)); }
  kj::Maybe<std::string> readNote(const char* name) const;
  // The first note of a name stays, as it is the one to look into.
  void note(const char* name, const std::string& text) const;
};

}  // namespace gavel
