#pragma once

#include "auction/command.h"
#include "schema/auction.capnp.h"
#include "schema/log.capnp.h"

// Entries between Cap'n Proto and the auction rules, which know nothing of it.
namespace gavel::chain {

// Texts in the result point into the message.  Throws FAILED for a command this version does not
// know.
auction::Entry decodeEntry(schema::Entry::Reader reader, std::uint64_t index);
void encodeEntry(const auction::Entry& entry, schema::Entry::Builder builder);

// A null SoftClose or Increment reads as the default.
auction::Terms decodeTerms(schema::Terms::Reader reader);
void encodeTerms(const auction::Terms& terms, schema::Terms::Builder builder);

// Without looking for the terminating NUL again.
inline std::string_view view(capnp::Text::Reader text) {
  return {text.begin(), text.size()};
}

}  // namespace gavel::chain
