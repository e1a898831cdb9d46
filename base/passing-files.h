#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file-system.h"

namespace gavel {

// A file that passes every call on to another one.  Derived classes override some of them.
class PassingFile: public File {
public:
  explicit PassingFile(std::unique_ptr<File> inner): inner(std::move(inner)) {}

  std::uint64_t size() const override { return inner->size(); }
  std::size_t read(std::uint64_t offset, kj::ArrayPtr<kj::byte> into) const override {
    return inner->read(offset, into);
  }
  void write(std::uint64_t offset, kj::ArrayPtr<const kj::byte> bytes) override {
    inner->write(offset, bytes);
  }
  void allocate(std::uint64_t size) override { inner->allocate(size); }
  void syncData() override { inner->syncData(); }
  void sync() override { inner->sync(); }

private:
  std::unique_ptr<File> inner;
};

// The same for a file system.
class PassingFiles: public FileSystem {
public:
  // `inner` must outlive this object.
  explicit PassingFiles(FileSystem& inner): inner(inner) {}

  std::unique_ptr<File> open(const std::string& path, Missing missing) override {
    return inner.open(path, missing);
  }
  std::unique_ptr<File> openToRead(const std::string& path) override {
    return inner.openToRead(path);
  }
  std::unique_ptr<File> lock(const std::string& path) override { return inner.lock(path); }
  bool exists(const std::string& path) override { return inner.exists(path); }
  bool isDirectory(const std::string& path) override { return inner.isDirectory(path); }
  std::vector<std::string> list(const std::string& path) override { return inner.list(path); }
  bool makeDirectories(const std::string& path) override { return inner.makeDirectories(path); }
  void rename(const std::string& from, const std::string& to) override { inner.rename(from, to); }
  void removeAll(const std::string& path) override { inner.removeAll(path); }
  void syncDirectory(const std::string& path) override { inner.syncDirectory(path); }
  rocksdb::Env* environment() override { return inner.environment(); }

private:
  FileSystem& inner;
};

}  // namespace gavel
