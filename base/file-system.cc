#include "base/file-system.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <kj/exception.h>
#include <kj/io.h>
#include <kj/string.h>

namespace gavel {
namespace {

namespace fs = std::filesystem;

// The text is for the operator and has no source position.
[[noreturn]] void fail(const char* doing, const std::string& path, int error) {
  bool full = error == ENOSPC || error == EDQUOT;
  kj::throwFatalException(
      kj::Exception(full ? kj::Exception::Type::OVERLOADED : kj::Exception::Type::FAILED, __FILE__,
                    __LINE__, kj::str(doing, " ", path.c_str(), ": ", std::strerror(error))));
}

void require(const std::error_code& error, const char* doing, const std::string& path) {
  if (error) fail(doing, path, error.value());
}

// Repeats `call` as long as signals interrupt it.
template <typename Call>
auto calling(const char* doing, const std::string& path, Call call) {
  for (;;) {
    auto result = call();
    if (result >= 0) return result;
    if (errno != EINTR) fail(doing, path, errno);
  }
}

kj::AutoCloseFd openAt(const std::string& path, int flags) {
  return kj::AutoCloseFd(calling("cannot open", path,
                                 [&]() { return ::open(path.c_str(), flags | O_CLOEXEC, 0644); }));
}

class MachineFile final: public File {
public:
  MachineFile(std::string path, kj::AutoCloseFd fd): path(std::move(path)), fd(kj::mv(fd)) {}
  KJ_DISALLOW_COPY(MachineFile);

  std::uint64_t size() const override {
    struct stat stats;
    calling("cannot look at", path, [&]() { return fstat(fd, &stats); });
    return static_cast<std::uint64_t>(stats.st_size);
  }
  std::size_t read(std::uint64_t offset, kj::ArrayPtr<kj::byte> into) const override {
    std::size_t done = 0;
    while (done < into.size()) {
      auto count = calling("cannot read", path, [&]() {
        return pread(fd, into.begin() + done, into.size() - done,
                     static_cast<off_t>(offset + done));
      });
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }
  void write(std::uint64_t offset, kj::ArrayPtr<const kj::byte> bytes) override {
    for (std::size_t done = 0; done < bytes.size();) {
      done += static_cast<std::size_t>(calling("cannot write", path, [&]() {
        return pwrite(fd, bytes.begin() + done, bytes.size() - done,
                      static_cast<off_t>(offset + done));
      }));
    }
  }
  void allocate(std::uint64_t bytes) override {
    if (size() >= bytes) return;
    int error = 0;
    do {
      error = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
    } while (error == EINTR);
    if (error != 0) fail("cannot make room for", path, error);
  }
  // An interrupted sync is not tried again, since nobody knows what it has done.
  void syncData() override {
    if (fdatasync(fd) < 0) fail("cannot sync", path, errno);
  }
  void sync() override {
    if (fsync(fd) < 0) fail("cannot sync", path, errno);
  }

  int descriptor() const { return fd; }

private:
  const std::string path;
  const kj::AutoCloseFd fd;
};

class MachineFiles final: public FileSystem {
public:
  std::unique_ptr<File> open(const std::string& path, Missing missing) override {
    return file(path, O_RDWR | (missing == Missing::make ? O_CREAT : 0));
  }
  std::unique_ptr<File> openToRead(const std::string& path) override {
    return file(path, O_RDONLY);
  }
  std::unique_ptr<File> lock(const std::string& path) override {
    auto opened = file(path, O_RDWR | O_CREAT);
    if (flock(opened->descriptor(), LOCK_EX | LOCK_NB) == 0) return opened;
    if (errno != EWOULDBLOCK) fail("cannot lock", path, errno);
    return nullptr;
  }
  bool exists(const std::string& path) override {
    std::error_code ignored;
    return fs::exists(fs::symlink_status(path, ignored));
  }
  bool isDirectory(const std::string& path) override {
    std::error_code ignored;
    return fs::is_directory(path, ignored);
  }
  std::vector<std::string> list(const std::string& path) override {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator i(path, error), end; !error && i != end; i.increment(error)) {
      names.push_back(i->path().filename().string());
    }
    require(error, "cannot list", path);
    return names;
  }
  bool makeDirectories(const std::string& path) override {
    std::error_code error;
    bool made = fs::create_directories(path, error);
    require(error, "cannot make the directory", path);
    return made;
  }
  void rename(const std::string& from, const std::string& to) override {
    std::error_code error;
    fs::rename(from, to, error);
    require(error, "cannot rename", from);
  }
  void removeAll(const std::string& path) override {
    std::error_code error;
    fs::remove_all(path, error);
    require(error, "cannot remove", path);
  }
  void syncDirectory(const std::string& path) override {
    if (fsync(openAt(path, O_RDONLY | O_DIRECTORY)) < 0) fail("cannot sync", path, errno);
  }
  rocksdb::Env* environment() override { return nullptr; }

private:
  static std::unique_ptr<MachineFile> file(const std::string& path, int flags) {
    return std::make_unique<MachineFile>(path, openAt(path, flags));
  }
};

}  // namespace

FileSystem& machineFiles() {
  static MachineFiles files;
  return files;
}

void syncParents(FileSystem& files, const std::string& directory) {
  for (auto path = fs::path(directory).lexically_normal(); path.has_relative_path();
       path = path.parent_path()) {
    auto parent = path.parent_path();
    kj::runCatchingExceptions(
        [&]() { files.syncDirectory(parent.empty() ? "." : parent.string()); });
  }
}

std::string readText(const File& file, std::uint64_t offset) {
  auto size = file.size();
  std::string text(static_cast<std::size_t>(size > offset ? size - offset : 0), '\0');
  auto into = kj::arrayPtr(reinterpret_cast<kj::byte*>(text.data()), text.size());
  text.resize(file.read(offset, into));
  return text;
}

}  // namespace gavel
