#include <array>
#include <cstddef>
#include <memory_resource>
#include <variant>
#include <vector>
#include <xxhash.h>

#include "auction/archive.h"
#include "auction/state.h"

namespace gavel::auction {
namespace {

// Gathers what is written.  It allocates only for long commands, which only an item's text makes.
class FingerprintSink {
public:
  FingerprintSink(): pool(near.data(), near.size()), bytes(&pool) { bytes.reserve(near.size()); }

  void write(const void* data, std::size_t size) {
    const auto* begin = static_cast<const std::byte*>(data);
    bytes.insert(bytes.end(), begin, begin + size);
  }
  std::uint64_t finish() const { return XXH3_64bits(bytes.data(), bytes.size()); }

private:
  std::array<std::byte, 512> near;
  std::pmr::monotonic_buffer_resource pool;
  std::pmr::vector<std::byte> bytes;
};

}  // namespace

// The XXH3-64 of the number of the command's kind (its place in `Command`), then of its fields.  It
// is recorded in the state and so part of the rules: it may not change within a chain format (R14).
std::uint64_t fingerprint(const Command& command) {
  FingerprintSink sink;
  Writer writer(sink);
  writer(static_cast<std::uint8_t>(command.index()));
  std::visit([&](const auto& alternative) { writer(alternative); }, command);
  return sink.finish();
}

}  // namespace gavel::auction
