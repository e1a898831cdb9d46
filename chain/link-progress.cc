#include "chain/link-progress.h"

#include <algorithm>

namespace gavel::chain {
namespace {

constexpr std::int64_t LOOKS = 20;  // Looks in one `patience`.
// In looks: an end that has missed so many was late itself.  That much of the time counts in any
// case.  On a busy machine there is such a moment in every second, and what begins anew each time
// would never be reported.
constexpr std::int64_t LATE = 5;
// A kernel may delay the acknowledgment of a lone packet by as much.
constexpr auto LEAST_INTERVAL = 10 * kj::MILLISECONDS;
constexpr std::int64_t FLAPPING_OVER = 10;  // In times of `patience`.
constexpr std::int64_t SLOW = 3;            // In times of `patience`.

}  // namespace

LinkProgress::LinkProgress(kj::Duration patience, kj::TimePoint now)
    : patience(patience),
      every(kj::max(patience / LOOKS, kj::Duration(LEAST_INTERVAL))),
      lastLook(now),
      stalls(static_cast<std::size_t>(std::max<std::int64_t>(
          LOOKS, FLAPPING_OVER * (patience / kj::NANOSECONDS) / (every / kj::NANOSECONDS)))) {}

void LinkProgress::asked(kj::TimePoint now) {
  if (askedSince == nullptr) askedSince = now;
}

void LinkProgress::answered(kj::TimePoint now, bool large) {
  askedSince = nullptr;
  standingSince = nullptr;
  waited = false;
  hopeless_ = false;
  if (inTrouble && large && calmSince == nullptr) calmSince = now;
}

void LinkProgress::look(kj::TimePoint now, Connection connection, const TcpProgress& kernel) {
  auto last = lastLook;
  lastLook = now;
  auto most = LATE * every;
  if (now - last > most) {
    auto missed = now - last - most;
    last += missed;
    if (askedSince != nullptr) askedSince = askedSince.orDefault(now) + missed;
    if (standingSince != nullptr) standingSince = standingSince.orDefault(now) + missed;
  }

  bool waits = connection == Connection::known && kernel.outstanding && kernel.windowOpen;
  bool stands = waits && waited && kernel.acked == acked;
  if (!stands) {
    standingSince = nullptr;
  } else if (standingSince == nullptr) {
    standingSince = last;
  }
  waited = waits;
  acked = kernel.acked;
  bool stalled = stands || (connection == Connection::none && askedSince != nullptr);
  note(stalled);
  judge(now, connection, stalled);
}

void LinkProgress::note(bool stalled) {
  stallCount -= stalls[nextStall] ? 1 : 0;
  stalls[nextStall] = stalled;
  stallCount += stalled ? 1 : 0;
  nextStall = (nextStall + 1) % stalls.size();
}

void LinkProgress::judge(kj::TimePoint now, Connection connection, bool stalled) {
  auto forLong = [&](const kj::Maybe<kj::TimePoint>& since, std::int64_t times) {
    return since.map([&](auto begin) { return now - begin >= times * patience; }).orDefault(false);
  };
  bool bad = false;
  hopeless_ = false;
  if (connection == Connection::none && forLong(askedSince, 1)) {
    amiss(LinkCause::pathDead, askedSince.orDefault(now));
    bad = true;
  } else if (forLong(standingSince, 1)) {
    // What was asked may have waited for a connection before that.
    auto since = standingSince.orDefault(now);
    amiss(LinkCause::pathDead, kj::min(since, askedSince.orDefault(since)));
    bad = hopeless_ = true;
  } else if (flaps()) {
    amiss(LinkCause::pathDead, now - FLAPPING_OVER * patience);
    bad = true;
  } else if (connection != Connection::none && forLong(askedSince, SLOW)) {
    amiss(LinkCause::processSlow, askedSince.orDefault(now));
    bad = hopeless_ = true;
  }
  if (!inTrouble || bad || stalled || connection == Connection::none) {
    calmSince = nullptr;
  } else if (forLong(calmSince, 1)) {
    inTrouble = false;
    calmSince = nullptr;
  }
}

void LinkProgress::amiss(LinkCause cause, kj::TimePoint since) {
  if (!inTrouble) {
    trouble_ = {cause, since};
  } else if (cause == LinkCause::pathDead) {
    trouble_.cause = cause;  // A path known to be dead is the nearer cause.
  }
  inTrouble = true;
}

kj::Maybe<const LinkTrouble&> LinkProgress::trouble() const {
  if (!inTrouble) return nullptr;
  return trouble_;
}

}  // namespace gavel::chain
