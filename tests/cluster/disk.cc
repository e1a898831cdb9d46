#include "tests/cluster/disk.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "tests/cluster/process.h"
#include "tests/support/fakes.h"

namespace gavel::cluster {
namespace {

namespace fs = std::filesystem;

// From ext4, xfs and others; the kernel's headers do not have it.
constexpr auto SHUTDOWN = _IOR('X', 125, std::uint32_t);
constexpr std::uint32_t WITHOUT_FLUSHING_THE_LOG = 2;
// <linux/fs.h> has these, but conflicts with <sys/mount.h> here.
constexpr auto FREEZE = _IOWR('X', 119, int);
constexpr auto THAW = _IOWR('X', 120, int);

constexpr std::size_t TRIAL_BYTES = 8 << 20;

kj::AutoCloseFd openDirectory(const std::string& path) {
  int fd = 0;
  KJ_SYSCALL(fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), path.c_str());
  return kj::AutoCloseFd(fd);
}

void run(kj::AsyncIoContext& io, std::vector<std::string> command) {
  auto ended = runToEnd(io, command);
  KJ_REQUIRE(ended.status == 0, command.front().c_str(), ended.status, ended.errors.c_str());
}

std::string sizeOption(std::size_t bytes) {
  return "size=" + std::to_string(bytes);
}

}  // namespace

std::optional<std::string> whyNoMounts(kj::AsyncIoContext& io) {
  static bool separate = false;
  if (!separate) {
    if (unshare(CLONE_NEWNS) < 0) return std::string("unshare: ") + std::strerror(errno);
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) {
      return std::string("mount --make-rprivate /: ") + std::strerror(errno);
    }
    separate = true;
  }
  gavel::testing::TemporaryDirectory directory;
  std::optional<std::string> why;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 LoopDisk trial(io, directory.path() + "/image", directory.path() + "/place",
                                TRIAL_BYTES);
                 trial.unmount();
               })) {
    why = exception->getDescription().cStr();
  }
  return why;
}

MemoryDisk::MemoryDisk(std::string given, std::size_t bytes): place(std::move(given)) {
  fs::create_directories(place);
  KJ_SYSCALL(::mount("gavel-test", place.c_str(), "tmpfs", 0, sizeOption(bytes).c_str()),
             place.c_str());
}

MemoryDisk::~MemoryDisk() {
  umount2(place.c_str(), MNT_DETACH);
}

void MemoryDisk::resize(std::size_t bytes) {
  KJ_SYSCALL(::mount("gavel-test", place.c_str(), "tmpfs", MS_REMOUNT, sizeOption(bytes).c_str()),
             place.c_str());
}

LoopDisk::LoopDisk(kj::AsyncIoContext& io, std::string image, std::string place, std::size_t bytes)
    : io(io), image(std::move(image)), place_(std::move(place)) {
  std::ofstream(this->image).close();
  fs::resize_file(this->image, bytes);
  fs::create_directories(place_);
  run(io, {"/sbin/mkfs.ext4", "-q", "-F", this->image});
  mount();
}

LoopDisk::~LoopDisk() {
  if (frozen) kj::runCatchingExceptions([this]() { thaw(); });
  // Lazily, so that processes that have not ended yet do not prevent it.
  if (mounted) umount2(place_.c_str(), MNT_DETACH);
}

void LoopDisk::mount() {
  // The program finds a free loop device, which goes with the mount.
  run(io, {"/bin/mount", "-o", "loop,errors=remount-ro", image, place_});
  mounted = true;
}

void LoopDisk::unmount() {
  KJ_SYSCALL(umount2(place_.c_str(), 0), place_.c_str());
  mounted = false;
}

void LoopDisk::remountReadOnly() {
  run(io, {"/bin/mount", "-o", "remount,ro", place_});
}

void LoopDisk::cutPower() {
  auto fd = openDirectory(place_);
  auto how = WITHOUT_FLUSHING_THE_LOG;
  KJ_SYSCALL(ioctl(fd, SHUTDOWN, &how), place_.c_str());
}

void LoopDisk::freeze() {
  auto fd = openDirectory(place_);
  KJ_SYSCALL(ioctl(fd, FREEZE, 0), place_.c_str());
  frozen = true;
}

void LoopDisk::thaw() {
  auto fd = openDirectory(place_);
  KJ_SYSCALL(ioctl(fd, THAW, 0), place_.c_str());
  frozen = false;
}

std::string LoopDisk::device() const {
  struct stat status;
  KJ_SYSCALL(stat(place_.c_str(), &status), place_.c_str());
  auto link = "/sys/dev/block/" + std::to_string(major(status.st_dev)) + ":" +
              std::to_string(minor(status.st_dev));
  return fs::read_symlink(link).filename().string();
}

void LoopDisk::failReadOnly() {
  auto trigger = "/sys/fs/ext4/" + device() + "/trigger_fs_error";
  std::ofstream file(trigger);
  file << "asked for by a test" << std::flush;
  KJ_REQUIRE(file.good(), "cannot make a file system fail", trigger.c_str());
}

void sync(const std::string& directory) {
  auto fd = openDirectory(directory);
  KJ_SYSCALL(syncfs(fd), directory.c_str());
}

void wipe(const std::string& directory) {
  for (auto& entry: fs::directory_iterator(directory)) {
    if (entry.path().filename() != "lost+found") fs::remove_all(entry.path());
  }
  sync(directory);
}

void replaceWith(const std::string& directory, const std::string& copy) {
  wipe(directory);
  fs::copy(copy, directory, fs::copy_options::recursive);
  sync(directory);
}

}  // namespace gavel::cluster
