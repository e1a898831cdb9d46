#pragma once

#include "auction/command.h"
#include "schema/log.capnp.h"

// Translates entries between Cap'n Proto and the auction rules, which know nothing of Cap'n Proto.
namespace gavel {

// Texts in the result point into the message.  Throws FAILED for a command that this version does
// not know.
auction::Entry decodeEntry(schema::Entry::Reader reader, std::uint64_t index);
void encodeEntry(const auction::Entry& entry, schema::Entry::Builder builder);

}  // namespace gavel
