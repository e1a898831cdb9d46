#include "chain/chain-time.h"

#include <algorithm>
#include <limits>

namespace gavel::chain {
namespace {

constexpr auto MOST = std::numeric_limits<std::int64_t>::max();

// `time` is not negative.
std::int64_t later(std::int64_t time, std::int64_t by) {
  return by > MOST - time ? MOST : time + by;
}

}  // namespace

ChainTime::ChainTime(const SystemClock& clock, std::int64_t maxLeap)
    : system(clock), maxLeap(maxLeap), lastAt(clock.sinceBoot()), leaptAt(lastAt) {
  takeClock();
}

void ChainTime::takeClock() {
  offset = system.wall() - system.sinceBoot();
}

auction::Stamp ChainTime::byRate(std::int64_t boot) const {
  return later(last, std::max<std::int64_t>(1, boot - lastAt));
}

auction::Stamp ChainTime::at(std::int64_t boot) const {
  auto passed = byRate(boot);
  return leapAt(boot) > 0 ? passed : std::max(passed, clockAt(boot));
}

std::int64_t ChainTime::leapAt(std::int64_t boot) const {
  if (last == 0 || accepted) return 0;
  auto above = clockAt(boot) - byRate(boot);
  return above > maxLeap ? above : 0;
}

void ChainTime::noted(auction::Stamp stamp, std::int64_t boot) {
  if (last != 0 && stamp > later(byRate(boot), SMALL_LEAP)) leaptAt = boot;
  last = stamp;
  lastAt = boot;
  accepted = false;
}

void ChainTime::read(auction::Stamp stamp) {
  last = stamp;
  lastAt = leaptAt = system.sinceBoot();
  accepted = false;
}

}  // namespace gavel::chain
