#include "store/data-directory.h"

#include <filesystem>

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel {
namespace {

constexpr char CANNOT_BE_OPENED[] =
    "cannot be opened: give one that is writable, and empty or made by gavel-node";
constexpr char DAMAGED[] = "damaged";
constexpr char FAILED[] = "failed";

kj::Maybe<std::string> noteAt(const std::string& path, FileSystem& files) {
  if (!files.exists(path)) return nullptr;
  std::string text;
  // A note that cannot be read is a note nevertheless.
  kj::runCatchingExceptions([&]() { text = readText(*files.openToRead(path)); });
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.empty()) text = path + " does not say why";
  return text;
}

}  // namespace

DataDirectory::DataDirectory(kj::StringPtr path, FileSystem& files)
    : path_(kj::str(path)), files_(files) {
  KJ_IF_MAYBE (exception,
               kj::runCatchingExceptions([&]() { files.makeDirectories(path.cStr()); })) {
    refuse(CANNOT_BE_OPENED, exception->getDescription().cStr());
  }
  if (!files.isDirectory(path.cStr())) refuse(CANNOT_BE_OPENED, "it is not a directory");

  // This comes before anything is written into it.
  if (has("CURRENT") && !has("db")) {
    refuse(
        kj::str("holds data of format 1, which this version of gavel-node cannot read, as it has "
                "format ",
                DATA_FORMAT,
                ": start with an empty directory and let the node join the chain, which has all "
                "that was committed"),
        file("CURRENT"));
  }

  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { lock = files.lock(file("lock")); })) {
    refuse(CANNOT_BE_OPENED, exception->getDescription().cStr());
  }
  if (lock == nullptr) {
    refuse("is in use by another process: stop that one, or give another --data",
           file("lock") + " is locked");
  }
}

std::string DataDirectory::file(const char* name) const {
  return (std::filesystem::path(path_.cStr()) / name).string();
}

void DataDirectory::refuse(kj::StringPtr problem, const std::string& why) const {
  kj::throwFatalException(
      kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                    kj::str("the data directory ", path_, " ", problem, " (", why.c_str(), ")")));
}

kj::Maybe<std::string> DataDirectory::damage(const std::string& path, FileSystem& files) {
  return noteAt((std::filesystem::path(path) / DAMAGED).string(), files);
}

kj::Maybe<std::string> DataDirectory::damage() const {
  return readNote(DAMAGED);
}

void DataDirectory::noteDamage(const std::string& reason) const {
  note(DAMAGED, reason);
}

void DataDirectory::refuseDamaged() const {
  KJ_IF_MAYBE (reason, damage()) {
    refuse(kj::str("is damaged, and nothing in it may be used: start gavel-node with "
                   "--replace-damaged to set it aside as ",
                   path_, "/set-aside-N and join as a new, empty node"),
           *reason);
  }
}

kj::Maybe<std::string> DataDirectory::failure() const {
  return readNote(FAILED);
}

void DataDirectory::noteFailure(const std::string& what) const {
  note(FAILED, what);
}

void DataDirectory::forgetFailure() const {
  if (has(FAILED)) files_.removeAll(file(FAILED));
}

kj::Maybe<std::string> DataDirectory::readNote(const char* name) const {
  return noteAt(file(name), files_);
}

void DataDirectory::note(const char* name, const std::string& text) const {
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 if (has(name)) return;
                 auto opened = files_.open(file(name), FileSystem::Missing::make);
                 opened->write(0, bytesOfText(text + "\n"));
                 opened->sync();
                 sync();
               })) {
    logError("cannot make a note in the data directory",
             {{"directory", path_}, {"note", text}, {"error", exception->getDescription()}});
  }
}

std::string DataDirectory::setAside() const {
  std::string place;
  for (unsigned n = 1;; ++n) {
    place = file("set-aside-") + std::to_string(n);
    if (!files_.exists(place)) break;
  }
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 files_.makeDirectories(place);
                 // The note of damage comes last: what is left must not be used until everything
                 // has gone.
                 for (const char* name: {"db", "db-new", "log", "durable", FAILED, DAMAGED}) {
                   if (!has(name)) continue;
                   files_.rename(file(name), (std::filesystem::path(place) / name).string());
                   files_.syncDirectory(place);
                   sync();
                 }
               })) {
    refuse("cannot be set aside", exception->getDescription().cStr());
  }
  return place;
}

void DataDirectory::sync() const {
  files_.syncDirectory(path_.cStr());
}

void DataDirectory::syncParents() const {
  gavel::syncParents(files_, path_.cStr());
}

}  // namespace gavel
