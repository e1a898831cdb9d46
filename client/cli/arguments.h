#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kj/time.h>

#include "client/session.h"
#include "schema/auction.capnp.h"

// Reading what users type.  Everything here throws UsageError with a text that begins with `what`,
// the name of the argument.  The nodes check again: this is for answers that come at once and help.
namespace gavel::client::cli {

// A positive whole number of minor units.
std::int64_t readAmount(const std::string& what, const std::string& text);
// The same, or 0.
std::int64_t readAmountOrZero(const std::string& what, const std::string& text);

// A whole number from `lowest` to `highest`.
std::int64_t readNumber(const std::string& what, const std::string& text, std::int64_t lowest,
                        std::int64_t highest);

kj::Duration readDuration(const std::string& what, const std::string& text);

// "host:port".
std::string readAddress(const std::string& what, const std::string& text);

// A name of a bidder or an auction: 1 to 128 bytes of UTF-8 without control characters.
std::string readName(const std::string& what, const std::string& text);
// Up to 4,096 bytes of UTF-8.
std::string readItem(const std::string& what, const std::string& text);

// "SESSION-SEQUENCE"; null where empty.
kj::Maybe<RequestId> readRequest(const std::string& what, const std::string& text);

// "5" (minor units) or "2.5%".
void readIncrement(const std::string& what, const std::string& text,
                   schema::Increment::Builder increment);
// "WINDOW,EXTENSION,HARD_END", all durations.  `duration` is the auction's.
void readSoftClose(const std::string& what, const std::string& text, kj::Duration duration,
                   schema::SoftClose::Builder softClose);

// A word for a POSIX shell.
std::string shellQuoted(const std::string& word);

}  // namespace gavel::client::cli
