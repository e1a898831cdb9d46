#include "master/embedded-store.h"

#include <cstring>
#include <string>
#include <xxhash.h>

#include <kj/debug.h>
#include <rocksdb/db.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/options.h>

#include "base/logging.h"
#include "base/rocks-log.h"

namespace gavel::master {
namespace {

constexpr char DOCUMENT[] = "document";
constexpr char NOTE[] = "note";

struct Frame {
  char format[8];
  std::uint64_t checksum;
  std::uint64_t version;
};
constexpr char FORMAT[] = "gavelmd1";
constexpr std::size_t UNCHECKED = offsetof(Frame, version);

// The exception has no file and line, as the text is for the operator.
[[noreturn]] void fail(kj::String text) {
  kj::throwFatalException(
      kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(text)));
}

rocksdb::Options optionsFor(FileSystem& files) {
  rocksdb::Options options;
  options.OptimizeForSmallDb();
  if (auto* environment = files.environment()) options.env = environment;
  // What follows a record that is not sound is dropped.  Usually a crash has left that record
  // half-written; the version that is noted as durable tells this from damage.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // What is read of that log may be in the page cache only.  It goes into new tables, which are
  // synced before it counts (R2).
  options.avoid_flush_during_recovery = false;
  options.paranoid_checks = true;
  // Each table gets a checksum as a whole, as nothing checks those of its parts that are not data.
  options.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  options.info_log = std::make_shared<RocksLog>();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.max_open_files = 64;
  return options;
}

bool meansDamage(const rocksdb::Status& status) {
  return status.IsCorruption() || status.IsPathNotFound() || status.IsNotFound() ||
         status.IsInvalidArgument() || status.IsNotSupported();
}

}  // namespace

EmbeddedStore::EmbeddedStore(kj::StringPtr directory, FileSystem& files)
    : directory(kj::str(directory)), files(files) {
  prepareDirectory();
  openVersions();
  // RocksDB makes this file last.
  if (files.exists(file("CURRENT"))) {
    verify();
  } else if (durableDocument->known() || durableDocument->damagedSlots() > 0) {
    refuseDamaged("its file CURRENT is missing");
  }
  open();
  newest = read(DOCUMENT).version;
  newestNote = read(NOTE).version;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 durableDocument->noteAnew(newest);
                 durableNote->noteAnew(newestNote);
                 files.syncDirectory(this->directory.cStr());
                 syncParents(files, this->directory.cStr());
               })) {
    refuse(*exception);
  }
}

EmbeddedStore::~EmbeddedStore() noexcept(false) = default;

std::string EmbeddedStore::file(const char* name) const {
  return std::string(directory.cStr()) + "/" + name;
}

void EmbeddedStore::prepareDirectory() {
  KJ_IF_MAYBE (exception,
               kj::runCatchingExceptions([&]() { files.makeDirectories(directory.cStr()); })) {
    refuse(*exception);
  }
  if (!files.isDirectory(directory.cStr())) refuse("it is not a directory");
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { lock = files.lock(file("lock")); })) {
    refuse(*exception);
  }
  if (lock == nullptr) {
    fail(
        kj::str("the data directory ", directory,
                " is in use by another gavel-master (it has locked the file lock there): stop that "
                "one, or give --data another directory"));
  }
}

void EmbeddedStore::openVersions() {
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 durableDocument =
                     std::make_unique<DurableVersion>(file("durable-document"), files);
                 durableNote = std::make_unique<DurableVersion>(file("durable-note"), files);
               })) {
    refuse(*exception);
  }
}

// Changes nothing in the directory.
void EmbeddedStore::verify() {
  rocksdb::DB* opened = nullptr;
  auto status = rocksdb::DB::OpenForReadOnly(optionsFor(files), directory.cStr(), &opened);
  if (!status.ok()) refuse(status, "open its database");
  db.reset(opened);
  KJ_DEFER(db = nullptr);
  verifyTables();
  verifyVersion(*durableDocument, DOCUMENT);
  verifyVersion(*durableNote, NOTE);
}

void EmbeddedStore::verifyTables() {
  auto status = db->VerifyFileChecksums(rocksdb::ReadOptions());
  if (!status.ok()) refuse(status, "read its tables");
}

void EmbeddedStore::verifyVersion(const DurableVersion& durable, const char* key) {
  auto found = read(key).version;
  if (found < durable.version()) {
    refuseDamaged(
        kj::str("version ", durable.version(), " of the ", key,
                " was stored, and what can be read of RocksDB's log and tables ends with ", found));
  }
  // A start notes 0 before anything is stored.
  if (found > 0 && !durable.known()) {
    refuseDamaged(kj::str("the file ", durable.path().c_str(),
                          " says nothing: it was missing, emptied or cannot be read"));
  }
  if (durable.damagedSlots() > 0) {
    logWarning("one of two copies in a file was damaged, and is written anew: look at the disk",
               {{"file", durable.path()}});
  }
}

void EmbeddedStore::open() {
  auto options = optionsFor(files);
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  auto status = rocksdb::DB::Open(options, directory.cStr(), &opened);
  if (!status.ok()) refuse(status, "open its database");
  db.reset(opened);
}

void EmbeddedStore::refuse(kj::StringPtr problem) const {
  fail(kj::str("cannot use the data directory ", directory, ": ", problem,
               ": give --data a directory that this user can read and write, and that is empty or "
               "made by gavel-master"));
}

void EmbeddedStore::refuse(const kj::Exception& why) const {
  if (why.getType() == kj::Exception::Type::OVERLOADED) {
    fail(kj::str("the data directory ", directory,
                 " has no space left: start again when there is room (", why.getDescription(),
                 ")"));
  }
  refuse(why.getDescription());
}

void EmbeddedStore::refuse(const rocksdb::Status& status, kj::StringPtr doing) const {
  auto text = status.ToString();
  if (meansDamage(status)) refuseDamaged(kj::str("cannot ", doing, ": ", text.c_str()));
  if (status.IsNoSpace()) {
    fail(kj::str("the data directory ", directory,
                 " has no space left: start again when there is room (", text.c_str(), ")"));
  }
  fail(kj::str("the data directory ", directory, " failed: cannot ", doing, " (", text.c_str(),
               "): see that the disk works, and that this user may read and write all files in "
               "it"));
}

void EmbeddedStore::refuseDamaged(kj::StringPtr what) const {
  fail(kj::str("the data directory ", directory, " is damaged: ", what,
               ".  The newest configuration of the chain may be lost with that, so that no master "
               "may decide anything by what is left.  Keep the directory, and do not put an older "
               "copy or a backup in its place: epochs would be given out twice, and acknowledged "
               "bids could be lost.  The nodes know what is needed: give an empty directory as "
               "--data, and start gavel-master once with --rebuild"));
}

Stored EmbeddedStore::read(const char* key) const {
  std::string value;
  rocksdb::ReadOptions how;
  how.verify_checksums = true;
  auto status = db->Get(how, key, &value);
  if (status.IsNotFound()) return {};
  auto damaged = [&](kj::StringPtr what) { refuseDamaged(kj::str("its ", key, ": ", what)); };
  if (!status.ok()) refuse(status, kj::str("read its ", key));

  Frame frame{};
  if (value.size() < sizeof(frame)) damaged(kj::str("only ", value.size(), " bytes are left"));
  std::memcpy(&frame, value.data(), sizeof(frame));
  if (std::memcmp(frame.format, FORMAT, sizeof(frame.format)) != 0) {
    damaged("it is in no format that this version of gavel-master knows");
  }
  if (frame.checksum != XXH3_64bits(value.data() + UNCHECKED, value.size() - UNCHECKED)) {
    damaged("wrong checksum");
  }
  return {frame.version,
          kj::heapArray<kj::byte>(reinterpret_cast<const kj::byte*>(value.data()) + sizeof(frame),
                                  value.size() - sizeof(frame))};
}

void EmbeddedStore::write(const char* key, std::uint64_t version,
                          kj::ArrayPtr<const kj::byte> document) {
  std::string value(sizeof(Frame) + document.size(), '\0');
  std::memcpy(value.data() + sizeof(Frame), document.begin(), document.size());
  Frame frame{};
  std::memcpy(frame.format, FORMAT, sizeof(frame.format));
  frame.version = version;
  std::memcpy(value.data(), &frame, sizeof(frame));
  frame.checksum = XXH3_64bits(value.data() + UNCHECKED, value.size() - UNCHECKED);
  std::memcpy(value.data(), &frame, sizeof(frame));

  rocksdb::WriteOptions how;
  how.sync = true;
  auto status = db->Put(how, key, value);
  if (!status.ok()) {
    fail(kj::str("cannot write the configuration ", key, " in ", directory, ": ",
                 status.ToString().c_str()));
  }
}

// Called once the document is durable.  In the other order, a crash between the two would look like
// damage.  The swap does not wait for the sync of the noted version, as the chain waits for the
// swap.
void EmbeddedStore::noteDocument(std::uint64_t version) {
  if (versionUnsynced) fail(kj::str("cannot sync ", durableDocument->path().c_str()));
  durableDocument->write(version);
  noteThread.post([this]() {
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { durableDocument->sync(); })) {
      logError("a sync failed", {{"error", exception->getDescription()}});
      versionUnsynced = true;
    }
  });
}

kj::Promise<Stored> EmbeddedStore::get() {
  return thread.compute<Stored>([this]() { return read(DOCUMENT); });
}

kj::Promise<kj::Maybe<std::uint64_t>> EmbeddedStore::compareAndSwap(
    std::uint64_t expectedVersion, kj::Array<const kj::byte> document) {
  struct Swapped {
    bool done;
    kj::Array<const kj::byte> document;
  };
  return thread
      .compute<Swapped>([this, expectedVersion, document = kj::mv(document)]() mutable {
        bool done = read(DOCUMENT).version == expectedVersion;
        if (done) {
          write(DOCUMENT, expectedVersion + 1, document);
          noteDocument(expectedVersion + 1);
        }
        return Swapped{done, kj::mv(document)};
      })
      .then([this, expectedVersion](Swapped&& swapped) -> kj::Maybe<std::uint64_t> {
        if (!swapped.done) return nullptr;
        newest = expectedVersion + 1;
        watchers.notify(newest, swapped.document);
        return newest;
      });
}

kj::Promise<Stored> EmbeddedStore::watch(std::uint64_t version) {
  if (newest > version) return get();
  return watchers.wait(version);
}

kj::Promise<void> EmbeddedStore::putNote(kj::Array<const kj::byte> note) {
  return noteThread
      .compute<bool>([this, note = kj::mv(note)]() {
        write(NOTE, ++newestNote, note);
        durableNote->note(newestNote);
        return true;
      })
      .ignoreResult();
}

kj::Promise<kj::Array<const kj::byte>> EmbeddedStore::getNote() {
  return noteThread.compute<Stored>([this]() { return read(NOTE); }).then([](Stored&& stored) {
    return kj::mv(stored.document);
  });
}

}  // namespace gavel::master
