#include "log/durable-marker.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <xxhash.h>

namespace gavel {
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

std::uint64_t offsetOf(unsigned slot) {
  return slot * SLOT_BYTES;
}

}  // namespace

MarkerFile::MarkerFile(const std::string& path, FileSystem& files) {
  made_ = !files.exists(path);
  file = files.open(path, FileSystem::Missing::make);
  readSlots();
  if (auto size = file->size(); size < SLOTS * SLOT_BYTES) {
    // The full size, so that later writes need no space and change no size.
    std::string zeros(static_cast<std::size_t>(SLOTS * SLOT_BYTES - size), '\0');
    file->write(size, bytesOfText(zeros));
    file->sync();
  }
}

void MarkerFile::readSlots() {
  for (unsigned i = 0; i < SLOTS; ++i) {
    Slot slot;
    auto bytes = kj::arrayPtr(reinterpret_cast<kj::byte*>(&slot), sizeof(slot));
    auto size = file->read(offsetOf(i), bytes);
    static constexpr std::array<char, sizeof(Slot)> NOTHING{};
    // A crash while the file was made, or a full disk, leaves it short or full of zeros.
    if (std::memcmp(&slot, NOTHING.data(), size) == 0) continue;
    bool whole = size == sizeof(slot);
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
  file->write(offsetOf(nextSlot),
              kj::arrayPtr(reinterpret_cast<const kj::byte*>(&slot), sizeof(slot)));
  nextSlot = (nextSlot + 1) % SLOTS;
}

void MarkerFile::sync() {
  file->syncData();
}

}  // namespace gavel
