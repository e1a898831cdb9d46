#include "client/bench/samples.h"

#include <algorithm>
#include <cmath>

namespace gavel::client::cli {
namespace {

constexpr std::int64_t STEP = 10'000'000;  // ns, of the timeline

}  // namespace

Percentiles percentilesOf(std::vector<Sample>& samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end(),
            [](const Sample& left, const Sample& right) { return left.latency < right.latency; });
  auto rank = [&](double share) {
    auto nth = static_cast<std::size_t>(std::ceil(share * double(samples.size())));
    return samples[std::max<std::size_t>(nth, 1) - 1].latency;
  };
  return {rank(0.5), rank(0.9), rank(0.99), rank(0.999), samples.back().latency};
}

void sortByTime(std::vector<Sample>& samples) {
  std::sort(samples.begin(), samples.end(),
            [](const Sample& left, const Sample& right) { return left.at < right.at; });
}

Gap longestGap(const std::vector<Sample>& samples, std::int64_t from, std::int64_t to,
               std::int64_t end) {
  Gap longest;
  Gap gap;
  auto close = [&](std::int64_t at) {
    gap.to = at;
    if (gap.to >= from && gap.from <= to && gap.length() > longest.length()) longest = gap;
    gap.from = at;
  };
  for (auto& sample: samples) {
    if (sample.at > end) break;
    close(sample.at);
  }
  close(end);
  return longest;
}

std::string timeline(const std::vector<Sample>& samples, std::int64_t end) {
  std::string text = "ms,bids\n";
  auto next = samples.begin();
  for (std::int64_t from = 0; from < end; from += STEP) {
    std::uint64_t count = 0;
    for (; next != samples.end() && next->at < from + STEP; ++next) count += next->weight;
    text += std::to_string(from / 1'000'000) + "," + std::to_string(count) + "\n";
  }
  return text;
}

}  // namespace gavel::client::cli
