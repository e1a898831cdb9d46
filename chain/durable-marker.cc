#include "chain/durable-marker.h"

#include <array>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <kj/debug.h>

namespace gavel::chain {
namespace {

constexpr std::uint64_t MAGIC = 0x32656c6261727564;  // "durable2"
constexpr std::size_t SLOT_BYTES = 4096;
constexpr unsigned SLOTS = 2;

struct Slot {
  std::uint64_t magic = MAGIC;
  std::uint64_t serial = 0;
  std::uint64_t storeId = 0;
  std::uint64_t generation = 0;
  std::uint64_t sequence = 0;
  std::uint64_t cuts = 0;
  std::uint64_t epoch = 0;
  std::uint64_t index = 0;
  std::uint64_t batchChecksum = 0;
  std::uint64_t damaged = 0;
  std::uint64_t boundEpoch = 0;
  std::uint64_t boundIndex = 0;
  std::uint64_t boundChecksum = 0;
  std::uint64_t boundMadeIn = 0;
  std::uint64_t checksum = 0;

  std::uint64_t actualChecksum() const { return XXH3_64bits(this, offsetof(Slot, checksum)); }
};
static_assert(sizeof(Slot) == 15 * sizeof(std::uint64_t));

off_t offsetOf(unsigned slot) {
  return static_cast<off_t>(slot * SLOT_BYTES);
}

}  // namespace

MarkerFile::MarkerFile(const std::string& path): path(path) {
  int opened = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (opened < 0 && errno == ENOENT) {
    made_ = true;
    opened = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  }
  if (opened < 0) KJ_FAIL_SYSCALL("open", errno, path.c_str());
  fd = kj::AutoCloseFd(opened);
  if (made_) {
    // Written in full, so that later writes need no space and change no size.
    std::array<char, SLOTS * SLOT_BYTES> zeros{};
    ssize_t written = 0;
    KJ_SYSCALL(written = pwrite(fd, zeros.data(), zeros.size(), 0), path.c_str());
    KJ_REQUIRE(static_cast<std::size_t>(written) == zeros.size(), "cannot make the file",
               path.c_str());
    KJ_SYSCALL(fsync(fd), path.c_str());
  } else {
    readSlots();
  }
}

void MarkerFile::readSlots() {
  for (unsigned i = 0; i < SLOTS; ++i) {
    Slot slot;
    ssize_t size = 0;
    KJ_SYSCALL(size = pread(fd, &slot, sizeof(slot), offsetOf(i)), path.c_str());
    static constexpr std::array<char, sizeof(Slot)> NOTHING{};
    bool whole = size == sizeof(slot);
    // A crash while the file was made leaves it empty, or full of zeros.
    if (size == 0 || (whole && std::memcmp(&slot, NOTHING.data(), sizeof(slot)) == 0)) continue;
    if (!whole || slot.magic != MAGIC || slot.checksum != slot.actualChecksum()) {
      unreadable_ = true;
      continue;
    }
    if (slot.serial <= serial) continue;
    serial = slot.serial;
    nextSlot = (i + 1) % SLOTS;
    recovered_ =
        DurableMarker{slot.storeId,
                      slot.generation,
                      slot.sequence,
                      slot.cuts,
                      {slot.epoch, slot.index, slot.batchChecksum},
                      slot.damaged != 0,
                      {{slot.boundEpoch, slot.boundIndex, slot.boundChecksum}, slot.boundMadeIn}};
  }
}

void MarkerFile::write(const DurableMarker& marker) {
  Slot slot{MAGIC,
            ++serial,
            marker.storeId,
            marker.generation,
            marker.sequence,
            marker.cuts,
            marker.end.epoch,
            marker.end.index,
            marker.end.checksum,
            marker.damaged ? 1u : 0u,
            marker.bound.at.epoch,
            marker.bound.at.index,
            marker.bound.at.checksum,
            marker.bound.madeIn,
            0};
  slot.checksum = slot.actualChecksum();
  ssize_t written = 0;
  KJ_SYSCALL(written = pwrite(fd, &slot, sizeof(slot), offsetOf(nextSlot)), path.c_str());
  KJ_REQUIRE(written == sizeof(slot), "cannot write all of the file", path.c_str());
  nextSlot = (nextSlot + 1) % SLOTS;
}

void MarkerFile::sync() {
  KJ_SYSCALL(fdatasync(fd), path.c_str());
}

}  // namespace gavel::chain
