#include "store/restore.h"

#include <filesystem>
#include <memory>
#include <utility>

#include <capnp/serialize.h>
#include <kj/debug.h>
#include <kj/io.h>

#include "log/position.h"
#include "schema/snapshot.capnp.h"
#include "store/snapshot-parts.h"

namespace gavel {
namespace {

// The formatVersion of SnapshotHeader.
constexpr std::uint32_t SNAPSHOT_FORMAT = 1;

namespace fs = std::filesystem;

[[noreturn]] void refuse(kj::String text) {
  kj::throwFatalException(
      kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(text)));
}

capnp::ReaderOptions readerOptions() {
  capnp::ReaderOptions options;
  // A part is about SNAPSHOT_PART_BYTES.  It is larger only by a single record: a session's, at the
  // most.  What claims to be larger is not read into memory.
  options.traversalLimitInWords = (64 << 20) / sizeof(capnp::word);
  return options;
}

class FileInput final: public kj::InputStream {
public:
  explicit FileInput(std::unique_ptr<File> file): file(std::move(file)) {}
  KJ_DISALLOW_COPY(FileInput);

  std::size_t tryRead(void* buffer, std::size_t, std::size_t most) override {
    auto count = file->read(offset, kj::arrayPtr(static_cast<kj::byte*>(buffer), most));
    offset += count;
    return count;
  }

private:
  std::unique_ptr<File> file;
  std::uint64_t offset = 0;
};

// The messages of a backup, one after the other.
class BackupReader {
public:
  BackupReader(kj::StringPtr directory, FileSystem& files)
      : path((fs::path(directory.cStr()) / BACKUP_FILE).string()) {
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions(
                                [&]() { stream = kj::heap<FileInput>(files.openToRead(path)); })) {
      refuse(kj::str("cannot read the backup: ", exception->getDescription(),
                     "; give the directory that 'gavel chain backup' wrote"));
    }
    buffered = kj::heap<kj::BufferedInputStreamWrapper>(*stream);
  }

  // Returns the next message, which lives until the next call.
  schema::SnapshotPart::Reader next() {
    ++number;
    if (buffered->tryGetReadBuffer().size() == 0) fail("is missing: the file ends before it");
    schema::SnapshotPart::Reader part;
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                   message = nullptr;
                   message = kj::heap<capnp::InputStreamMessageReader>(*buffered, readerOptions());
                   part = message->getRoot<schema::SnapshotPart>();
                 })) {
      fail(kj::str("cannot be read: ", exception->getDescription()));
    }
    return part;
  }

  bool atEnd() { return buffered->tryGetReadBuffer().size() == 0; }

  [[noreturn]] void fail(kj::StringPtr what) const {
    refuse(kj::str("the backup ", path.c_str(), " is damaged: part ", number, " ", what,
                   "; use another copy of it"));
  }

  // The number of the last message, for texts: the header is part 0.
  std::uint64_t partNumber() const { return number; }

private:
  std::string path;
  kj::Own<FileInput> stream;
  kj::Own<kj::BufferedInputStreamWrapper> buffered;
  kj::Own<capnp::InputStreamMessageReader> message;
  std::uint64_t number = static_cast<std::uint64_t>(-1);
};

Restored readHeader(BackupReader& backup) {
  auto part = backup.next();
  if (!part.isHeader()) backup.fail("is no header: this is no backup of an auction service");
  Restored restored;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 auto header = part.getHeader();
                 if (header.getFormatVersion() != SNAPSHOT_FORMAT) {
                   refuse(kj::str("the backup has format ", header.getFormatVersion(),
                                  ", but this version of gavel-node knows only ", SNAPSHOT_FORMAT));
                 }
                 restored.position = readPosition(header.getPosition());
                 restored.cluster = header.getClusterId();
                 restored.stamp = header.getStamp();
                 restored.unconfirmed = header.getUnconfirmed();
                 restored.committed = header.getCommitted();
               })) {
    if (exception->getDescription().startsWith("the backup has format")) {
      kj::throwFatalException(kj::mv(*exception));
    }
    backup.fail(kj::str("cannot be read: ", exception->getDescription()));
  }
  if (restored.cluster == 0)
    backup.fail("names no cluster: this is no backup of an auction service");
  // An epoch before the first, so that nobody takes it for a point of the old cluster's log.
  restored.position.epoch = 0;
  return restored;
}

class Restore {
public:
  Restore(kj::StringPtr backup, kj::StringPtr directory, const RocksStoreOptions& options,
          Random& random)
      : backup(backup, *options.files),
        restored(readHeader(this->backup)),
        store(directory, options, random) {}

  kj::Promise<Restored> run() {
    return store.beginInstall().then([this]() { return takeParts(); });
  }

private:
  BackupReader backup;
  Restored restored;
  RocksStore store;
  std::uint64_t last = 0;  // The checksum of the part before.

  kj::Promise<Restored> takeParts() {
    kj::Maybe<kj::Array<kj::byte>> data;
    auto part = backup.next();
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                   if (part.isRecords())
                     data = kj::heapArray(part.getRecords().getData().asBytes());
                 })) {
      backup.fail(kj::str("cannot be read: ", exception->getDescription()));
    }
    KJ_IF_MAYBE (bytes, data) {
      last = partChecksum(*bytes, last);
      ++restored.parts;
      if (last != part.getRecords().getChecksum()) {
        backup.fail("has a wrong checksum, or a part before it is missing");
      }
      return store.install(kj::mv(*bytes)).then([this]() { return takeParts(); });
    }
    if (!part.isEnd()) backup.fail("is neither records nor the end");
    auto end = part.getEnd();
    if (end.getParts() != restored.parts || end.getChecksum() != last) {
      backup.fail(kj::str("is the end of ", end.getParts(), " parts, but there were ",
                          restored.parts, ", or other ones"));
    }
    if (!backup.atEnd()) backup.fail("is the end, but something follows it");
    return store.finishInstall(restored.position).then([this]() { return restored; });
  }
};

void requireEmpty(kj::StringPtr directory, FileSystem& files) {
  if (!files.exists(directory.cStr())) return;
  std::vector<std::string> names;
  KJ_IF_MAYBE (exception,
               kj::runCatchingExceptions([&]() { names = files.list(directory.cStr()); })) {
    refuse(kj::str("cannot restore into the data directory ", directory, ": ",
                   exception->getDescription()));
  }
  for (auto& name: names) {
    // A file system puts this there itself.  It is in nobody's way.
    if (name == "lost+found") continue;
    refuse(kj::str("cannot restore into the data directory ", directory,
                   ": it is not empty; give an empty or new one, or move away what is there if it "
                   "comes from a restore that was interrupted"));
  }
}

}  // namespace

kj::Promise<Restored> restoreBackup(kj::StringPtr backup, kj::StringPtr directory, Random& random,
                                    const RocksStoreOptions& options) {
  return kj::evalNow([&]() {
    requireEmpty(directory, *options.files);
    auto restore = kj::heap<Restore>(backup, directory, options, random);
    auto result = restore->run();
    return result.attach(kj::mv(restore));
  });
}

}  // namespace gavel
