#include "client/cli/backup-file.h"

#include <xxhash.h>

#include <capnp/serialize.h>
#include <kj/debug.h>

#include "client/chain-locator.h"

namespace gavel::client::cli {
namespace {

constexpr std::uint32_t FORMAT_VERSION = 1;

// The file is synced after so many bytes, since the sender would wait long for one sync at the end.
constexpr std::uint64_t SYNC_EVERY = 32 << 20;

[[noreturn]] void fail(kj::StringPtr text) {
  kj::throwFatalException(
      kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::str(text)));
}

}  // namespace

template <typename Action>
void BackupFile::onDisk(const char* what, Action action) {
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions(action)) {
    fail(kj::str("cannot ", what, " ", path_.c_str(), ": ", reasonOf(*exception)));
  }
}

BackupFile::BackupFile(const std::string& where)
    : path_(where), filesystem(kj::newDiskFilesystem()) {
  onDisk("make directory", [&]() {
    directory = filesystem->getRoot().openSubdir(
        filesystem->getCurrentPath().evalNative(where.c_str()),
        kj::WriteMode::CREATE | kj::WriteMode::MODIFY | kj::WriteMode::CREATE_PARENT);
  });
  path_ = where + (where.empty() || where.back() == '/' ? "" : "/") + NAME;
  kj::Path name(NAME);
  bool exists = false;
  onDisk("look for", [&]() { exists = directory->exists(name); });
  if (exists) {
    fail(kj::str(path_.c_str(), " is there already, and is not replaced: give another directory, ",
                 "or move that backup away"));
  }
  onDisk("make", [&]() { file = directory->replaceFile(name, kj::WriteMode::CREATE); });
}

void BackupFile::begin(schema::SnapshotHeader::Reader header) {
  if (begun) fail("the node began the snapshot twice");
  if (header.getFormatVersion() != FORMAT_VERSION) {
    fail(kj::str("the node sends a snapshot of format ", header.getFormatVersion(),
                 ", this program knows ", FORMAT_VERSION,
                 ": use the 'gavel' that belongs to the node"));
  }
  begun = true;
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::SnapshotPart>().setHeader(header);
  append(message);
}

void BackupFile::write(schema::Records::Reader records) {
  if (!begun) fail("the node sent records before it began the snapshot");
  auto data = records.getData();
  auto sum = XXH3_64bits_withSeed(data.begin(), data.size(), checksum);
  if (sum != records.getChecksum()) {
    fail(kj::str("part ", parts_ + 1, " of the snapshot does not have the checksum it came with: ",
                 "it was changed on its way, or a part before it is missing: try again, or ",
                 "from another node with --from"));
  }
  checksum = sum;
  ++parts_;
  capnp::MallocMessageBuilder message(static_cast<unsigned>(data.size() / 8 + 16));
  message.initRoot<schema::SnapshotPart>().setRecords(records);
  append(message);
  if (bytes_ - synced < SYNC_EVERY) return;
  onDisk("write", [&]() { file->get().datasync(); });
  synced = bytes_;
}

void BackupFile::finish(std::uint64_t expected) {
  if (!begun) fail("the node finished the snapshot before it began it");
  if (expected != parts_) {
    fail(kj::str("the snapshot has ", expected, " parts, of which ", parts_,
                 " have come: try again, or from another node with --from"));
  }
  capnp::MallocMessageBuilder message;
  auto end = message.initRoot<schema::SnapshotPart>().initEnd();
  end.setParts(parts_);
  end.setChecksum(checksum);
  append(message);
  bool renamed = false;
  onDisk("write", [&]() {
    file->get().sync();
    renamed = file->tryCommit();
  });
  if (!renamed) {
    fail(kj::str(path_.c_str(), " was made by somebody else meanwhile, and is not replaced"));
  }
  file = nullptr;
  onDisk("write the directory of", [&]() { directory->sync(); });
  complete_ = true;
}

void BackupFile::append(capnp::MessageBuilder& message) {
  KJ_REQUIRE(file.get() != nullptr, "the backup was given up");
  auto words = capnp::messageToFlatArray(message);
  onDisk("write", [&]() { file->get().write(bytes_, words.asBytes()); });
  bytes_ += words.asBytes().size();
}

}  // namespace gavel::client::cli
