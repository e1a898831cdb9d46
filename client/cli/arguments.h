#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kj/time.h>

#include "client/session.h"
#include "schema/auction.capnp.h"

// Reads what users type.  All functions throw UsageError with a text that begins with `what`, the
// name of the argument.  The nodes check again: these checks are for answers that come at once and
// help.
namespace gavel::client::cli {

// Reads a positive whole number of minor units.
std::int64_t readAmount(const std::string& what, const std::string& text);
// Reads the same, or 0.
std::int64_t readAmountOrZero(const std::string& what, const std::string& text);

// Reads a whole number in [lowest, highest].
std::int64_t readNumber(const std::string& what, const std::string& text, std::int64_t lowest,
                        std::int64_t highest);

kj::Duration readDuration(const std::string& what, const std::string& text);

// Reads "host:port".
std::string readAddress(const std::string& what, const std::string& text);

// Reads the name of a bidder or an auction: 1 to 128 bytes of UTF-8 without control characters.
std::string readName(const std::string& what, const std::string& text);
// Reads up to 4,096 bytes of UTF-8.
std::string readItem(const std::string& what, const std::string& text);

// Reads "SESSION-SEQUENCE"; null if `text` is empty.
kj::Maybe<RequestId> readRequest(const std::string& what, const std::string& text);

// Reads "5" (minor units) or "2.5%".
void readIncrement(const std::string& what, const std::string& text,
                   schema::Increment::Builder increment);
// Reads "WINDOW,EXTENSION,HARD_END", all durations.  `duration` is the auction's.
void readSoftClose(const std::string& what, const std::string& text, kj::Duration duration,
                   schema::SoftClose::Builder softClose);

// Quotes `word` for a POSIX shell.
std::string shellQuoted(const std::string& word);

}  // namespace gavel::client::cli
