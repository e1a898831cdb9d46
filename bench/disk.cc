#include <array>
#include <fcntl.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "bench/bidders.h"

namespace gavel::bench {
namespace {

class OnDisk final: public Caller {
public:
  explicit OnDisk(const std::string& directory) {
    auto path = directory + "/bench-disk-XXXXXX";
    int descriptor = 0;
    KJ_SYSCALL(descriptor = mkostemp(path.data(), O_APPEND | O_CLOEXEC), path.c_str());
    file = kj::AutoCloseFd(descriptor);
    KJ_SYSCALL(unlink(path.c_str()));
    bytes.fill('x');
  }

  // Blocks the event loop, which has nothing else to do.
  kj::Promise<void> call() override {
    ssize_t written = 0;
    KJ_SYSCALL(written = write(file.get(), bytes.data(), bytes.size()));
    KJ_REQUIRE(written == static_cast<ssize_t>(bytes.size()), "the disk is full");
    KJ_SYSCALL(fdatasync(file.get()));
    return kj::evalLater([]() {});
  }

private:
  kj::AutoCloseFd file;
  std::array<char, 4096> bytes;
};

}  // namespace

MakeCaller onDisk(std::string directory) {
  return [=](kj::AsyncIoContext&) -> kj::Own<Caller> { return kj::heap<OnDisk>(directory); };
}

}  // namespace gavel::bench
