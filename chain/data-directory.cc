#include "chain/data-directory.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/file.h>
#include <unistd.h>

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel::chain {
namespace {

namespace fs = std::filesystem;

constexpr char CANNOT_BE_OPENED[] =
    "cannot be opened: give one that is writable, and empty or made by gavel-node";

// So that a directory that was just made is still there after a power loss, as far as we may look
// at what it is in.
void syncParents(const fs::path& made) {
  for (auto path = fs::absolute(made).lexically_normal(); path.has_relative_path();) {
    path = path.parent_path();
    kj::AutoCloseFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd >= 0) fsync(fd);
  }
}

}  // namespace

DataDirectory::DataDirectory(kj::StringPtr path): path_(kj::str(path)) {
  std::error_code error;
  bool made = fs::create_directories(path.cStr(), error);
  if (made) syncParents(path.cStr());
  if (error) refuse(CANNOT_BE_OPENED, error.message());
  if (!fs::is_directory(path.cStr(), error)) refuse(CANNOT_BE_OPENED, "it is not a directory");

  // Before anything is written into it.
  if (exists(file("CURRENT")) && !exists(db())) {
    refuse(
        kj::str("holds data of format 1, which this version of gavel-node cannot read, as it has "
                "format ",
                DATA_FORMAT,
                ": start with an empty directory and let the node join the chain, which has all "
                "that was committed"),
        file("CURRENT"));
  }

  int opened = open(file("lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (opened < 0) refuse(CANNOT_BE_OPENED, file("lock") + ": " + std::strerror(errno));
  lock = kj::AutoCloseFd(opened);
  if (flock(opened, LOCK_EX | LOCK_NB) < 0) {
    std::string why = file("lock") + ": " + std::strerror(errno);
    if (errno == EWOULDBLOCK) {
      refuse("is in use by another process: stop that one, or give another --data", why);
    }
    refuse(CANNOT_BE_OPENED, why);
  }
}

std::string DataDirectory::file(const char* name) const {
  return (fs::path(path_.cStr()) / name).string();
}

bool DataDirectory::exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

void DataDirectory::refuse(kj::StringPtr problem, const std::string& why) const {
  kj::throwFatalException(
      kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                    kj::str("the data directory ", path_, " ", problem, " (", why.c_str(), ")")));
}

kj::Maybe<std::string> DataDirectory::damage() const {
  if (!exists(file("damaged"))) return nullptr;
  std::ifstream in(file("damaged"));
  std::string reason((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  while (!reason.empty() && reason.back() == '\n') reason.pop_back();
  if (reason.empty()) reason = file("damaged") + " does not say why";
  return reason;
}

void DataDirectory::noteDamage(const std::string& reason) const {
  // The first reason is the one to look into.
  if (exists(file("damaged"))) return;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 int opened =
                     open(file("damaged").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
                 if (opened < 0) KJ_FAIL_SYSCALL("open", errno);
                 kj::AutoCloseFd fd(opened);
                 auto line = reason + "\n";
                 kj::FdOutputStream(opened).write(line.data(), line.size());
                 KJ_SYSCALL(fsync(opened));
                 sync();
               })) {
    logError("cannot note in the data directory that it is damaged",
             {{"directory", path_}, {"error", exception->getDescription()}});
  }
}

void DataDirectory::refuseDamaged() const {
  KJ_IF_MAYBE (reason, damage()) {
    refuse(kj::str("is damaged, and nothing in it may be used: start gavel-node with "
                   "--replace-damaged to set it aside as ",
                   path_, "/set-aside-N and join as a new, empty node"),
           *reason);
  }
}

std::string DataDirectory::setAside() const {
  std::string place;
  for (unsigned n = 1;; ++n) {
    place = file("set-aside-") + std::to_string(n);
    if (!exists(place)) break;
  }
  std::error_code error;
  fs::create_directory(place, error);
  // The note last: until everything has gone, what is left must not be used.
  for (const char* name: {"db", "db-new", "log", "durable", "damaged"}) {
    if (error) break;
    if (exists(file(name))) fs::rename(file(name), fs::path(place) / name, error);
    if (!error) sync();
  }
  if (error) refuse("cannot be set aside", error.message());
  return place;
}

void DataDirectory::sync() const {
  int opened = open(path_.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) KJ_FAIL_SYSCALL("open", errno, path_);
  kj::AutoCloseFd fd(opened);
  KJ_SYSCALL(fsync(opened), path_);
}

}  // namespace gavel::chain
