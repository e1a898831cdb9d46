#include "master/embedded-store.h"

#include <cstring>
#include <filesystem>
#include <string>
#include <unistd.h>
#include <xxhash.h>

#include <kj/debug.h>
#include <rocksdb/db.h>

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

// Without file and line: the text is for the operator.
[[noreturn]] void fail(kj::String text) {
  kj::throwFatalException(
      kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(text)));
}

rocksdb::Options options() {
  rocksdb::Options options;
  options.OptimizeForSmallDb();
  options.create_if_missing = true;
  // After a crash, drop a record that was not written to its end, as nobody was told of it; but
  // refuse to open a database that has lost one which was.  RocksDB's default would go back in time
  // without a word, and epochs would be given twice.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.keep_log_file_num = 4;
  options.max_open_files = 64;
  return options;
}

void prepareDirectory(kj::StringPtr directory) {
  std::error_code error;
  std::filesystem::create_directories(directory.cStr(), error);
  if (error) {
    fail(kj::str("cannot make the data directory ", directory, ": ", error.message().c_str(),
                 ": give --data a directory that this user can write"));
  }
  if (access(directory.cStr(), R_OK | W_OK | X_OK) != 0) {
    int number = errno;
    fail(kj::str("cannot use the data directory ", directory, ": ", strerror(number),
                 ": give --data a directory that this user can read and write"));
  }
}

}  // namespace

EmbeddedStore::EmbeddedStore(kj::StringPtr directory): directory(kj::str(directory)) {
  prepareDirectory(directory);
  open();
  newest = read(DOCUMENT).version;
}

EmbeddedStore::~EmbeddedStore() noexcept(false) = default;

void EmbeddedStore::open() {
  rocksdb::DB* opened = nullptr;
  auto status = rocksdb::DB::Open(options(), directory.cStr(), &opened);
  if (status.ok()) {
    db.reset(opened);
    return;
  }
  auto text = status.ToString();
  if (status.IsIOError() && text.find("lock ") != std::string::npos) {
    fail(
        kj::str("the data directory ", directory,
                " is in use by another gavel-master (it holds the file LOCK there): stop that one, "
                "or give --data another directory"));
  }
  if (status.IsCorruption()) {
    fail(kj::str(
        "the data directory ", directory, " is damaged (", text.c_str(),
        "): keep it, and do not put an older copy in its place, which would give epochs out "
        "twice"));
  }
  fail(kj::str("cannot open the data directory ", directory, " (", text.c_str(),
               "): it must be writable, and empty or made by gavel-master"));
}

Stored EmbeddedStore::read(const char* key) const {
  std::string value;
  rocksdb::ReadOptions how;
  how.verify_checksums = true;
  auto status = db->Get(how, key, &value);
  if (status.IsNotFound()) return {};
  auto damaged = [&](kj::StringPtr what) {
    fail(kj::str("the configuration ", key, " in ", directory, " is damaged: ", what));
  };
  if (!status.ok()) damaged(status.ToString().c_str());

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
        if (done) write(DOCUMENT, expectedVersion + 1, document);
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
        write(NOTE, 0, note);
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
