#include "client/session.h"

#include <charconv>

namespace gavel::client {

kj::String KJ_STRINGIFY(const RequestId& id) {
  return kj::str(id.session, "-", id.sequence);
}

kj::Maybe<RequestId> parseRequestId(kj::StringPtr text) {
  RequestId id;
  auto* end = text.end();
  auto [dash, error] = std::from_chars(text.begin(), end, id.session);
  if (error != std::errc() || dash == end || *dash != '-') return nullptr;
  auto [rest, secondError] = std::from_chars(dash + 1, end, id.sequence);
  if (secondError != std::errc() || rest != end) return nullptr;
  if (id.session == 0 || id.sequence == 0) return nullptr;
  return id;
}

}  // namespace gavel::client
