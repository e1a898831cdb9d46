// A library to be loaded before others (LD_PRELOAD) that makes the wall clock wrong.  It adds the
// number of nanoseconds in the file that WRONG_CLOCK names: eight bytes, which a test may change
// while the process runs.  Other clocks stay as they are.

#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

namespace {

constexpr std::int64_t SECOND = 1'000'000'000;

// Null if there is no such file: then the clock is right.
const volatile std::int64_t* mapOffset() {
  const char* path = std::getenv("WRONG_CLOCK");
  int file = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return nullptr;
  void* memory = mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  return memory == MAP_FAILED ? nullptr : static_cast<const std::int64_t*>(memory);
}

std::int64_t wall() {
  static const volatile std::int64_t* const offset = mapOffset();
  timespec time{};
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &time);
  return time.tv_sec * SECOND + time.tv_nsec + (offset == nullptr ? 0 : *offset);
}

}  // namespace

extern "C" int clock_gettime(clockid_t id, timespec* time) noexcept {
  if (id != CLOCK_REALTIME) return static_cast<int>(syscall(SYS_clock_gettime, id, time));
  auto now = wall();
  time->tv_sec = now / SECOND;
  time->tv_nsec = now % SECOND;
  return 0;
}

extern "C" int gettimeofday(timeval* time, void*) noexcept {
  auto now = wall();
  time->tv_sec = now / SECOND;
  time->tv_usec = now % SECOND / 1000;
  return 0;
}

extern "C" time_t time(time_t* result) noexcept {
  auto seconds = static_cast<time_t>(wall() / SECOND);
  if (result != nullptr) *result = seconds;
  return seconds;
}
