#include "tests/disk/rocks-files.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <kj/debug.h>
#include <rocksdb/file_system.h>

#include "tests/disk/test-disk.h"

namespace gavel::disk {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// RocksDB does not expect exceptions.
template <typename Function>
IOStatus trying(Function&& function) {
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions(kj::fwd<Function>(function))) {
    std::string text = exception->getDescription().cStr();
    if (exception->getType() == kj::Exception::Type::OVERLOADED) return IOStatus::NoSpace(text);
    if (text.find("No such file") != std::string::npos) return IOStatus::PathNotFound(text);
    return IOStatus::IOError(text);
  }
  return IOStatus::OK();
}

kj::ArrayPtr<const kj::byte> bytesOf(const Slice& slice) {
  return {reinterpret_cast<const kj::byte*>(slice.data()), slice.size()};
}

IOStatus readFrom(const File& file, std::uint64_t offset, std::size_t bytes, Slice* result,
                  char* scratch) {
  return trying([&]() {
    auto into = kj::arrayPtr(reinterpret_cast<kj::byte*>(scratch), bytes);
    *result = Slice(scratch, file.read(offset, into));
  });
}

class SequentialFile final: public rocksdb::FSSequentialFile {
public:
  explicit SequentialFile(std::unique_ptr<File> file): file(std::move(file)) {}

  IOStatus Read(std::size_t bytes, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) override {
    auto status = readFrom(*file, offset, bytes, result, scratch);
    if (status.ok()) offset += result->size();
    return status;
  }
  IOStatus Skip(std::uint64_t bytes) override {
    offset += bytes;
    return IOStatus::OK();
  }

private:
  std::unique_ptr<File> file;
  std::uint64_t offset = 0;
};

class RandomFile final: public rocksdb::FSRandomAccessFile {
public:
  explicit RandomFile(std::unique_ptr<File> file): file(std::move(file)) {}

  IOStatus Read(std::uint64_t offset, std::size_t bytes, const IOOptions&, Slice* result,
                char* scratch, IODebugContext*) const override {
    return readFrom(*file, offset, bytes, result, scratch);
  }

private:
  std::unique_ptr<File> file;
};

class WritableFile final: public rocksdb::FSWritableFile {
public:
  WritableFile(TestDisk& disk, std::string path, std::unique_ptr<File> file)
      : disk(disk), path(std::move(path)), file(std::move(file)), end(this->file->size()) {}

  using FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    return trying([&]() {
      file->write(end, bytesOf(data));
      end += data.size();
    });
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions&, IODebugContext*) override {
    if (size == end) return IOStatus::OK();
    return trying([&]() {
      disk.resize(path, size);
      end = size;
    });
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    return trying([&]() { file->syncData(); });
  }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return trying([&]() { file->sync(); });
  }
  bool IsSyncThreadSafe() const override { return true; }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return end; }

private:
  TestDisk& disk;
  const std::string path;
  std::unique_ptr<File> file;
  std::uint64_t end;
};

class Directory final: public rocksdb::FSDirectory {
public:
  Directory(TestDisk& disk, std::string path): disk(disk), path(std::move(path)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return trying([&]() { disk.syncDirectory(path); });
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

private:
  TestDisk& disk;
  const std::string path;
};

class HeldLock final: public rocksdb::FileLock {
public:
  explicit HeldLock(std::unique_ptr<File> file): file(std::move(file)) {}

private:
  std::unique_ptr<File> file;
};

class Files final: public rocksdb::FileSystem {
public:
  explicit Files(TestDisk& disk): disk(disk) {}

  const char* Name() const override { return "TestDisk"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext*) override {
    return trying([&]() { *result = std::make_unique<SequentialFile>(disk.openToRead(path)); });
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext*) override {
    return trying([&]() { *result = std::make_unique<RandomFile>(disk.openToRead(path)); });
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext*) override {
    return trying(
        [&]() { *result = std::make_unique<WritableFile>(disk, path, disk.openAnew(path)); });
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions&,
                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                              IODebugContext*) override {
    return trying([&]() {
      auto file = disk.open(path, gavel::FileSystem::Missing::make);
      *result = std::make_unique<WritableFile>(disk, path, std::move(file));
    });
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
    if (!disk.isDirectory(path)) return IOStatus::PathNotFound(path);
    *result = std::make_unique<Directory>(disk, path);
    return IOStatus::OK();
  }
  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    return disk.exists(path) ? IOStatus::OK() : IOStatus::NotFound(path);
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* result,
                       IODebugContext*) override {
    if (!disk.isDirectory(path)) return IOStatus::PathNotFound(path);
    return trying([&]() { *result = disk.list(path); });
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return disk.remove(path) ? IOStatus::OK() : IOStatus::PathNotFound(path);
  }
  IOStatus Truncate(const std::string& path, std::size_t size, const IOOptions&,
                    IODebugContext*) override {
    return trying([&]() { disk.resize(path, size); });
  }
  IOStatus CreateDir(const std::string& path, const IOOptions& options,
                     IODebugContext* debug) override {
    if (disk.exists(path)) return IOStatus::IOError(path, "it is there");
    return CreateDirIfMissing(path, options, debug);
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    return trying([&]() { disk.makeDirectories(path); });
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return disk.remove(path) ? IOStatus::OK() : IOStatus::PathNotFound(path);
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, std::uint64_t* size,
                       IODebugContext*) override {
    return trying([&]() { *size = disk.openToRead(path)->size(); });
  }
  IOStatus GetFileModificationTime(const std::string&, const IOOptions&, std::uint64_t* time,
                                   IODebugContext*) override {
    *time = 1;
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                      IODebugContext*) override {
    return trying([&]() { disk.rename(from, to); });
  }
  IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** lock,
                    IODebugContext*) override {
    auto status = IOStatus::IOError(path, "it is locked");
    auto tried = trying([&]() {
      auto file = disk.lock(path);
      if (file == nullptr) return;
      *lock = new HeldLock(std::move(file));
      status = IOStatus::OK();
    });
    return tried.ok() ? status : tried;
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    delete lock;
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions&, std::string*, IODebugContext*) override {
    return IOStatus::NotSupported("a directory for tests");
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* result,
                           IODebugContext*) override {
    *result = path;
    return IOStatus::OK();
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* result,
                       IODebugContext*) override {
    *result = disk.isDirectory(path);
    return IOStatus::OK();
  }

private:
  TestDisk& disk;
};

}  // namespace

std::unique_ptr<rocksdb::Env> rocksEnvironment(TestDisk& disk) {
  return rocksdb::NewCompositeEnv(std::make_shared<Files>(disk));
}

}  // namespace gavel::disk
