#include "tests/simulation/trace.h"

#include <fmt/format.h>
#include <xxhash.h>

namespace gavel::simulation {

void Trace::line(kj::Duration time, std::string_view who, std::string_view text) {
  std::uint64_t head[2] = {hash_, static_cast<std::uint64_t>(time / kj::NANOSECONDS)};
  hash_ = XXH3_64bits_withSeed(head, sizeof(head), XXH3_64bits(who.data(), who.size()));
  hash_ = XXH3_64bits_withSeed(text.data(), text.size(), hash_);
  if (detail != Detail::none) put(time, who, text);
}

void Trace::explain(kj::Duration time, std::string_view who, std::string_view text) {
  if (detail == Detail::wire) put(time, who, text);
}

void Trace::put(kj::Duration time, std::string_view who, std::string_view text) {
  auto microseconds = time / kj::MICROSECONDS;
  auto line = fmt::format("{}.{:06} {} {}\n", microseconds / 1'000'000, microseconds % 1'000'000,
                          who, text);
  if (file != nullptr) {
    std::fwrite(line.data(), 1, line.size(), file);
  } else {
    text_ += line;
  }
}

void Trace::wire(kj::Duration time, std::uint64_t from, std::uint64_t to, std::uint64_t what) {
  std::uint64_t words[5] = {hash_, static_cast<std::uint64_t>(time / kj::NANOSECONDS), from, to,
                            what};
  hash_ = XXH3_64bits(words, sizeof(words));
}

}  // namespace gavel::simulation
