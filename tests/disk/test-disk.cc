#include "tests/disk/test-disk.h"

#include <utility>

#include <kj/debug.h>
#include <rocksdb/env.h>

#include "tests/disk/rocks-files.h"

namespace gavel::disk {
namespace {

[[noreturn]] void fail(const char* doing, const std::string& path, const char* why,
                       kj::Exception::Type type = kj::Exception::Type::FAILED) {
  kj::throwFatalException(
      kj::Exception(type, __FILE__, __LINE__, kj::str(doing, " ", path.c_str(), ": ", why)));
}

}  // namespace

class TestDisk::OpenFile final: public File {
public:
  OpenFile(TestDisk& disk, std::string path, Contents::Id id)
      : disk(disk), path(std::move(path)), id(id) {}
  ~OpenFile() noexcept(false) override {
    if (!holdsLock) return;
    std::lock_guard<std::mutex> lock(disk.mutex);
    disk.locked.erase(path);
  }
  KJ_DISALLOW_COPY(OpenFile);

  void holdLock() { holdsLock = true; }

  std::uint64_t size() const override {
    std::lock_guard<std::mutex> lock(disk.mutex);
    return disk.contents_.size(id);
  }
  std::size_t read(std::uint64_t offset, kj::ArrayPtr<kj::byte> into) const override {
    std::lock_guard<std::mutex> lock(disk.mutex);
    return disk.contents_.read(id, offset, reinterpret_cast<char*>(into.begin()), into.size());
  }
  void write(std::uint64_t offset, kj::ArrayPtr<const kj::byte> bytes) override {
    std::lock_guard<std::mutex> lock(disk.mutex);
    auto size = disk.contents_.size(id);
    auto end = offset + bytes.size();
    if (end > size) disk.takeRoom(path, end - size);
    disk.tell(Operation::What::write, id, path);
    disk.contents_.write(id, offset, reinterpret_cast<const char*>(bytes.begin()), bytes.size());
  }
  void allocate(std::uint64_t bytes) override {
    std::lock_guard<std::mutex> lock(disk.mutex);
    auto size = disk.contents_.size(id);
    if (size >= bytes) return;
    disk.takeRoom(path, bytes - size);
    disk.tell(Operation::What::resize, id, path);
    disk.contents_.resize(id, bytes);
  }
  void syncData() override { sync(); }
  void sync() override {
    std::lock_guard<std::mutex> lock(disk.mutex);
    disk.tell(Operation::What::sync, id, path);
    if (!disk.failingSync.empty() && path.find(disk.failingSync) != std::string::npos) {
      disk.failingSync.clear();
      disk.contents_.failSync(id, [](Contents::Id) { return false; });
      fail("cannot sync", path, "Input/output error");
    }
    disk.contents_.sync(id);
  }

private:
  TestDisk& disk;
  const std::string path;
  const Contents::Id id;
  bool holdsLock = false;
};

TestDisk::TestDisk(Contents contents): contents_(std::move(contents)) {
  contents_.forgetNameless();
  environment_ = rocksEnvironment(*this);
}

TestDisk::~TestDisk() noexcept(false) = default;

void TestDisk::setBefore(Before next) {
  std::lock_guard<std::mutex> lock(mutex);
  before = std::move(next);
}

Contents TestDisk::contents() const {
  std::lock_guard<std::mutex> lock(mutex);
  return contents_;
}

void TestDisk::setRoom(std::uint64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex);
  room = bytes;
}

void TestDisk::failNextSync(std::string path) {
  std::lock_guard<std::mutex> lock(mutex);
  failingSync = std::move(path);
}

void TestDisk::tell(Operation::What what, Contents::Id id, const std::string& path) {
  if (before) before({what, id, path}, contents_);
}

void TestDisk::takeRoom(const std::string& path, std::uint64_t bytes) {
  if (bytes > room) {
    fail("cannot write", path, "No space left on device", kj::Exception::Type::OVERLOADED);
  }
  room -= bytes;
}

Contents::Id TestDisk::required(const std::string& path) const {
  auto id = contents_.find(path);
  if (id == Contents::NONE) fail("cannot open", path, "No such file or directory");
  return id;
}

std::unique_ptr<File> TestDisk::open(const std::string& path, Missing missing) {
  std::lock_guard<std::mutex> lock(mutex);
  auto id = contents_.find(path);
  if (id == Contents::NONE) {
    auto place = contents_.placeOf(path);
    if (missing == Missing::fail || place.directory == Contents::NONE) required(path);
    tell(Operation::What::change, Contents::NONE, path);
    id = contents_.make(place, false);
  }
  return std::make_unique<OpenFile>(*this, path, id);
}

std::unique_ptr<File> TestDisk::openToRead(const std::string& path) {
  return open(path, Missing::fail);
}

std::unique_ptr<File> TestDisk::openAnew(const std::string& path) {
  std::lock_guard<std::mutex> lock(mutex);
  auto place = contents_.placeOf(path);
  if (place.directory == Contents::NONE) required(path);
  tell(Operation::What::change, Contents::NONE, path);
  return std::make_unique<OpenFile>(*this, path, contents_.make(place, false));
}

std::unique_ptr<File> TestDisk::lock(const std::string& path) {
  auto file = open(path, Missing::make);
  std::lock_guard<std::mutex> lock(mutex);
  if (!locked.insert(path).second) return nullptr;
  static_cast<OpenFile&>(*file).holdLock();
  return file;
}

bool TestDisk::exists(const std::string& path) {
  std::lock_guard<std::mutex> lock(mutex);
  return contents_.find(path) != Contents::NONE;
}

bool TestDisk::isDirectory(const std::string& path) {
  std::lock_guard<std::mutex> lock(mutex);
  auto id = contents_.find(path);
  return id != Contents::NONE && contents_.isDirectory(id);
}

std::vector<std::string> TestDisk::list(const std::string& path) {
  std::lock_guard<std::mutex> lock(mutex);
  return contents_.list(required(path));
}

bool TestDisk::makeDirectories(const std::string& path) {
  std::lock_guard<std::mutex> lock(mutex);
  bool made = false;
  for (std::size_t at = 0; at != std::string::npos;) {
    at = path.find('/', at + 1);
    auto part = path.substr(0, at);
    if (part.empty() || part.back() == '/') continue;
    if (auto id = contents_.find(part); id != Contents::NONE) {
      if (!contents_.isDirectory(id)) fail("cannot make the directory", part, "Not a directory");
      continue;
    }
    tell(Operation::What::change, Contents::NONE, part);
    contents_.make(contents_.placeOf(part), true);
    made = true;
  }
  return made;
}

void TestDisk::rename(const std::string& from, const std::string& to) {
  std::lock_guard<std::mutex> lock(mutex);
  auto id = required(from);
  tell(Operation::What::change, id, to);
  contents_.rename(contents_.placeOf(from), contents_.placeOf(to));
}

void TestDisk::removeAll(const std::string& path) {
  std::lock_guard<std::mutex> lock(mutex);
  if (contents_.find(path) != Contents::NONE) removeTree(path);
}

void TestDisk::removeTree(const std::string& path) {
  auto id = contents_.find(path);
  if (contents_.isDirectory(id)) {
    for (auto& name: contents_.list(id)) removeTree(path + "/" + name);
  }
  tell(Operation::What::change, id, path);
  contents_.remove(contents_.placeOf(path));
}

bool TestDisk::remove(const std::string& path) {
  std::lock_guard<std::mutex> lock(mutex);
  auto id = contents_.find(path);
  if (id == Contents::NONE) return false;
  tell(Operation::What::change, id, path);
  contents_.remove(contents_.placeOf(path));
  return true;
}

void TestDisk::resize(const std::string& path, std::uint64_t size) {
  std::lock_guard<std::mutex> lock(mutex);
  auto id = required(path);
  tell(Operation::What::resize, id, path);
  contents_.resize(id, size);
}

void TestDisk::syncDirectory(const std::string& path) {
  std::lock_guard<std::mutex> lock(mutex);
  auto id = required(path);
  tell(Operation::What::syncNames, id, path);
  contents_.syncNames(id);
}

rocksdb::Env* TestDisk::environment() {
  return environment_.get();
}

}  // namespace gavel::disk
