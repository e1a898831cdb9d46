#pragma once

#include <memory>
#include <string>

#include <kj/common.h>
#include <kj/string.h>

#include "base/file-system.h"

namespace gavel {

// What a data directory's format is called; it changes whenever an older program could not go on
// with what a newer one leaves (R14).
constexpr unsigned DATA_FORMAT = 7;

// The directory in which a node keeps its data, of format 7:
//
//   lock            locked by the process that uses the directory
//   db/             the RocksDB database (rocks-database.h), there once it is formatted
//   log/            the log (segmented-log.h)
//   durable         what of these is durable at least (durable-marker.h)
//   dropped-N       log that was dropped as the operator's order of epoch N gave it up
//                   (rocks-aside.h); usually absent
//   damaged         why nothing in here may be used any more, as text; usually absent
//   failed          which write or sync has failed, as text; until a start has made up for it (R2)
//   set-aside-N/    all but the lock, from before the node began anew
//
// Format 1 had the database's files directly in the directory.
class DataDirectory {
public:
  // Takes the directory for this process, making it if it is missing.  Throws FAILED with a text
  // for the operator: not a directory, no permission, in use by another process, of format 1.
  explicit DataDirectory(kj::StringPtr path, FileSystem& files = machineFiles());
  KJ_DISALLOW_COPY(DataDirectory);

  kj::StringPtr path() const { return path_; }
  FileSystem& files() const { return files_; }
  std::string db() const { return file("db"); }
  std::string log() const { return file("log"); }
  std::string marker() const { return file("durable"); }
  // Where a log is kept that was dropped on an operator's order (R11).
  std::string dropped(std::uint64_t epoch) const {
    return file(("dropped-" + std::to_string(epoch)).c_str());
  }
  // Where a database is formatted before it takes its place.
  std::string unfinishedDb() const { return file("db-new"); }

  // Why it is damaged, as it was noted; null if it was not.
  kj::Maybe<std::string> damage() const;
  static kj::Maybe<std::string> damage(const std::string& path, FileSystem& files);
  // Notes durably that it is damaged, as far as the disk still takes that.  On any thread.
  void noteDamage(const std::string& reason) const;
  // Throws FAILED if it was noted, saying what can be done.
  void refuseDamaged() const;

  // Which write or sync has failed, as it was noted; null if none was.
  kj::Maybe<std::string> failure() const;
  // Notes durably that one has failed, as far as the disk still takes that.  On any thread.
  void noteFailure(const std::string& what) const;
  // What was noted has been made up for.
  void forgetFailure() const;

  // Puts aside what is there, so that it can be formatted anew.  Returns where to.
  std::string setAside() const;

  // Makes durable which files there are.
  void sync() const;
  // The same of the directories that it is in, as far as they may be looked at.
  void syncParents() const;

  // Throws FAILED for the operator: what is wrong with which directory, without source positions.
  [[noreturn]] void refuse(kj::StringPtr problem, const std::string& why) const;

private:
  kj::String path_;
  FileSystem& files_;
  std::unique_ptr<File> lock;

  std::string file(const char* name) const;
  bool has(const char* name) const { return files_.exists(file(name)); }
  kj::Maybe<std::string> readNote(const char* name) const;
  // The first one of a name is the one to look into, and stays.
  void note(const char* name, const std::string& text) const;
};

}  // namespace gavel
