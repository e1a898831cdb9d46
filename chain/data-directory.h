#pragma once

#include <string>

#include <kj/common.h>
#include <kj/io.h>
#include <kj/string.h>

namespace gavel::chain {

// What a data directory's format is called; it changes whenever an older program could not go on
// with what a newer one leaves (R14).
constexpr unsigned DATA_FORMAT = 6;

// The directory in which a node keeps its data, of format 6:
//
//   lock            locked by the process that uses the directory
//   db/             the RocksDB database (rocks-database.h), there once it is formatted
//   log/            the log (segmented-log.h)
//   durable         what of these is durable at least (durable-marker.h)
//   dropped-N       log that was dropped as the operator's order of epoch N gave it up
//                   (rocks-aside.h); usually absent
//   damaged         why nothing in here may be used any more, as text; usually absent
//   set-aside-N/    db, log, durable and damaged, from before the node began anew
//
// Format 1 had the database's files directly in the directory.
class DataDirectory {
public:
  // Takes the directory for this process, making it if it is missing.  Throws FAILED with a text
  // for the operator: not a directory, no permission, in use by another process, of format 1.
  explicit DataDirectory(kj::StringPtr path);
  KJ_DISALLOW_COPY(DataDirectory);

  kj::StringPtr path() const { return path_; }
  std::string db() const { return file("db"); }
  std::string log() const { return file("log"); }
  std::string marker() const { return file("durable"); }
  // Where a log is kept that was dropped on an operator's order (R11).
  std::string dropped(std::uint64_t epoch) const {
    return file(("dropped-" + std::to_string(epoch)).c_str());
  }
  // Where a database is formatted before it takes its place.
  std::string unfinishedDb() const { return file("db-new"); }

  // Whether there is such a file or directory.
  static bool exists(const std::string& path);

  // Why it is damaged, as it was noted; null if it was not.
  kj::Maybe<std::string> damage() const;
  // Notes durably that it is damaged, as far as the disk still takes that.  On any thread.
  void noteDamage(const std::string& reason) const;
  // Throws FAILED if it was noted, saying what can be done.
  void refuseDamaged() const;

  // Puts aside what is there, so that it can be formatted anew.  Returns where to.
  std::string setAside() const;

  // Makes durable which files there are.
  void sync() const;

  // Throws FAILED for the operator: what is wrong with which directory, without source positions.
  [[noreturn]] void refuse(kj::StringPtr problem, const std::string& why) const;

private:
  kj::String path_;
  kj::AutoCloseFd lock;

  std::string file(const char* name) const;
};

}  // namespace gavel::chain
