#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kj/time.h>

// Statistics of the times of answers.  They are exact: every answer is kept, in 24 bytes.
namespace gavel::client::cli {

// One answered call.
struct Sample {
  std::int64_t at;       // When the answer came, ns since counting began.
  std::int64_t latency;  // Since the call was made, or was due, ns.
  std::uint32_t weight;  // The number of bids or queries in the call.
};

struct Percentiles {
  std::int64_t p50 = 0;  // All of these in ns.
  std::int64_t p90 = 0;
  std::int64_t p99 = 0;
  std::int64_t p999 = 0;
  std::int64_t max = 0;
};

// The smallest latency that the given share of the calls did not exceed (nearest rank); all 0 if
// there are none.  Reorders the samples.
Percentiles percentilesOf(std::vector<Sample>& samples);

struct Gap {
  std::int64_t from = 0;  // ns since counting began.
  std::int64_t to = 0;
  std::int64_t length() const { return to - from; }
};

// The longest time without an answer that touches [from, to].  The ends of the measurement, 0 and
// `end`, count as answers.  `samples` are sorted by sortByTime().
Gap longestGap(const std::vector<Sample>& samples, std::int64_t from, std::int64_t to,
               std::int64_t end);
void sortByTime(std::vector<Sample>& samples);

// The number of bids answered in each 10 ms, as CSV: "ms,bids".  `samples` are sorted by time.
std::string timeline(const std::vector<Sample>& samples, std::int64_t end);

}  // namespace gavel::client::cli
