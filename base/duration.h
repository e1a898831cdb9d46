#pragma once

#include <cstdint>

#include <kj/string.h>
#include <kj/time.h>

namespace gavel {

// Reads a duration as people write it: "5s", "500ms", "10m", "1.5h", "7d", "1m30s".  Units: ns, us,
// ms, s, m, h, d.  Throws FAILED with a description that says what is wrong, made to be shown to a
// user: nothing there, no unit, an unknown one, negative, or more than 292 years.
kj::Duration parseDuration(kj::StringPtr text);

// The inverse, for people: the two largest units that say something, rounded down ("9m58s", "1.5s",
// "250ms", "7d").  parseDuration() reads it back.
kj::String formatDuration(kj::Duration duration);

// A time in nanoseconds since the Unix epoch, for people: "2026-11-28T18:40:00Z".
kj::String formatUtc(std::int64_t time);

}  // namespace gavel
