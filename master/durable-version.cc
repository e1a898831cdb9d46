#include "master/durable-version.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <xxhash.h>

namespace gavel::master {
namespace {

constexpr std::uint64_t FORMAT = 0x3164766c65766167;  // "gavelvd1"
constexpr std::size_t SLOT_BYTES = 4096;
constexpr unsigned SLOTS = 2;

struct Slot {
  std::uint64_t format = FORMAT;
  std::uint64_t version = 0;
  std::uint64_t checksum = 0;

  std::uint64_t actualChecksum() const { return XXH3_64bits(this, offsetof(Slot, checksum)); }
};
static_assert(sizeof(Slot) == 3 * sizeof(std::uint64_t));

}  // namespace

DurableVersion::DurableVersion(std::string path, FileSystem& files)
    : path_(std::move(path)), file(files.open(path_, FileSystem::Missing::make)) {
  for (unsigned i = 0; i < SLOTS; ++i) {
    Slot slot;
    auto bytes = kj::arrayPtr(reinterpret_cast<kj::byte*>(&slot), sizeof(slot));
    auto size = file->read(i * SLOT_BYTES, bytes);
    static constexpr std::array<char, sizeof(Slot)> NOTHING{};
    // A crash while the file is made, or a disk without room, leaves it short or full of zeros.
    if (std::memcmp(&slot, NOTHING.data(), size) == 0) continue;
    if (size < sizeof(slot) || slot.format != FORMAT || slot.checksum != slot.actualChecksum()) {
      ++damagedSlots_;
      continue;
    }
    known_ = true;
    if (slot.version <= version_) continue;
    version_ = slot.version;
    nextSlot = (i + 1) % SLOTS;
  }
  if (auto size = file->size(); size < SLOTS * SLOT_BYTES) {
    // The file gets its full size, so that later writes need no room and change no size.
    std::string zeros(static_cast<std::size_t>(SLOTS * SLOT_BYTES - size), '\0');
    file->write(size, bytesOfText(zeros));
    file->sync();
  }
}

void DurableVersion::write(std::uint64_t version) {
  Slot slot;
  slot.version = version;
  slot.checksum = slot.actualChecksum();
  file->write(nextSlot * SLOT_BYTES,
              kj::arrayPtr(reinterpret_cast<const kj::byte*>(&slot), sizeof(slot)));
  nextSlot = (nextSlot + 1) % SLOTS;
  version_ = version;
}

void DurableVersion::sync() {
  file->syncData();
}

void DurableVersion::note(std::uint64_t version) {
  write(version);
  sync();
}

void DurableVersion::noteAnew(std::uint64_t version) {
  // One slot is synced before the other is written, so that a crash leaves one of them whole.
  for (unsigned i = 0; i < SLOTS; ++i) note(version);
}

}  // namespace gavel::master
