#pragma once

#include <cstring>
#include <string_view>

#include <capnp/blob.h>

// Texts of Cap'n Proto as views, which need no terminating NUL.
namespace gavel {

// Does not look for the NUL again.
inline std::string_view view(capnp::Text::Reader text) {
  return {text.begin(), text.size()};
}

// For init methods: builder.initName(sizeOf(name)).
inline unsigned sizeOf(std::string_view text) {
  return static_cast<unsigned>(text.size());
}

// `to` must be as long as `from`.
inline void copyText(std::string_view from, capnp::Text::Builder to) {
  std::memcpy(to.begin(), from.data(), from.size());
}

}  // namespace gavel
