#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include "tests/history/history.h"

// The rules of an auction, as far as a checker needs them.  They are apart from auction/, whose
// outcomes they judge.
namespace gavel::history {

// The lowest amount that is accepted over `highest` (0: no bid yet); 0 if there is none.
inline std::int64_t nextValid(const Terms& terms, std::int64_t highest) {
  if (highest == 0) return std::max<std::int64_t>(terms.startingPrice, 1);
  __int128 step = terms.increment;
  if (terms.percent) step = (static_cast<__int128>(terms.increment) * highest + 9999) / 10000;
  auto next = highest + step;
  return next > std::numeric_limits<std::int64_t>::max() ? 0 : static_cast<std::int64_t>(next);
}

// Not after the end of time.
inline std::int64_t later(std::int64_t stamp, std::int64_t duration) {
  auto sum = static_cast<__int128>(stamp) + duration;
  return static_cast<std::int64_t>(
      std::min<__int128>(sum, std::numeric_limits<std::int64_t>::max()));
}

// The state of an auction after one of its versions.
struct Standing {
  enum class Phase { none, open, sold, noSale, cancelled };

  Phase phase = Phase::none;
  std::int64_t highest = 0;
  std::string leader;
  std::int64_t deadline = 0;

  bool over() const { return phase != Phase::none && phase != Phase::open; }
};

// The deadline in force once a bid with this stamp was accepted: soft closes move it.
inline std::int64_t deadlineAfterBid(const Terms& terms, std::int64_t created,
                                     std::int64_t deadline, std::int64_t stamp) {
  if (terms.window == 0 || stamp < deadline - terms.window) return deadline;
  auto extended = std::min(later(stamp, terms.extension), later(created, terms.hardEnd));
  return std::max(deadline, extended);
}

}  // namespace gavel::history
