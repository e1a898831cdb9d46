#pragma once

#include <cstdint>

#include <kj/string.h>
#include <kj/time.h>

namespace gavel {

// Reads a duration as people write it: "5s", "500ms", "10m", "1.5h", "7d", "1m30s".  Units are ns,
// us, ms, s, m, h and d.  Throws FAILED with a description to show to a user, if the text is empty
// or negative, a unit is missing or unknown, or it is more than 292 years.
kj::Duration parseDuration(kj::StringPtr text);

// The inverse, for people, rounded towards zero.  Days, hours and minutes have the next unit too
// ("9m58s", "7d"); smaller units have one decimal below 10 ("1.5s", "250ms").  parseDuration()
// reads it back unless it is negative.
kj::String formatDuration(kj::Duration duration);

// Returns a time in nanoseconds since the Unix epoch as text, rounded down to a second:
// "2026-11-28T18:40:00Z".
kj::String formatUtc(std::int64_t time);

}  // namespace gavel
