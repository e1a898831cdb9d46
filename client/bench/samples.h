#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kj/time.h>

// What `gavel bench` makes of the times at which answers came.  Exact: every answer is kept, which
// takes 24 bytes each.
namespace gavel::client::cli {

// One answered call.
struct Sample {
  std::int64_t at;       // When the answer was there, ns since counting began.
  std::int64_t latency;  // From the moment at which it was made, or was to be made, ns.
  std::uint32_t weight;  // How many bids or queries it was for.
};

struct Percentiles {
  std::int64_t p50 = 0;  // ns, as all of these
  std::int64_t p90 = 0;
  std::int64_t p99 = 0;
  std::int64_t p999 = 0;
  std::int64_t max = 0;
};

// The smallest latency that the given share of the calls did not exceed (nearest rank); all 0 of
// none.  Reorders them.
Percentiles percentilesOf(std::vector<Sample>& samples);

struct Gap {
  std::int64_t from = 0;  // ns since counting began
  std::int64_t to = 0;
  std::int64_t length() const { return to - from; }
};

// The longest time without an answer that touches [from, to], the ends of the measurement, 0 and
// `end`, counting as answers.  `samples` are sorted by sortByTime().
Gap longestGap(const std::vector<Sample>& samples, std::int64_t from, std::int64_t to,
               std::int64_t end);
void sortByTime(std::vector<Sample>& samples);

// How many bids were answered in each 10 ms, as CSV: "ms,bids".  `samples` are sorted by time.
std::string timeline(const std::vector<Sample>& samples, std::int64_t end);

}  // namespace gavel::client::cli
