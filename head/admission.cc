#include "head/admission.h"

#include <algorithm>

#include <kj/debug.h>

#include "base/duration.h"
#include "base/logging.h"
#include "base/planted.h"

namespace gavel::head {
namespace {

// A batch is the unit of resending and of a disk write.  This is large enough to amortise both, and
// far below the RPC layer's limit.
constexpr std::size_t BATCH_BYTES = 512 * 1024;
constexpr std::size_t BYTES_PER_ENTRY = 256;
// How much of a turn closing and judging may take together, and closing alone (R16).  A call may
// hold many requests, and each may have to be looked up in the store.
constexpr auto JUDGING_PER_TURN = 5 * kj::MILLISECONDS;
constexpr auto CLOSING_PER_TURN = 4 * kj::MILLISECONDS;
constexpr std::size_t REQUESTS_PER_TURN = 1'000;
// Entries that close auctions or end sessions: in the long run one in each CLOSING_PAUSE at most,
// and CLOSING_BURST at once.  So all nodes keep up with their states and checkpoints.  A checkpoint
// is one write, for which bids wait.
constexpr auto CLOSING_PAUSE = 4 * kj::MILLISECONDS;
constexpr std::int64_t CLOSING_BURST = 10;
// While this many of them are not committed, none is logged: some member is busy.
constexpr std::size_t MOST_UNCOMMITTED = 20;
// With this many changes since the last checkpoint began, one is logged in each CROWDED_PAUSE.
constexpr std::size_t MOST_UNCAPTURED = 2 * 8192;
constexpr auto CROWDED_PAUSE = 20 * kj::MILLISECONDS;
constexpr const char* NOT_BELIEVED =
    "the head's clock is far above the newest entry's time: set the clocks right, or look with "
    "'gavel chain clock'";
// The pause after a confirm that failed.
constexpr auto CONFIRM_PAUSE = 10 * kj::MILLISECONDS;
constexpr char REMOVED[] = "this node was removed from the chain: ask again";
constexpr char TOO_SHORT[] =
    "fewer members of the chain serve than have to (--min-members): ask again later";
// What was logged before is committed, but has too few copies to be reported as a success.
constexpr char MAY_BE_IN_EFFECT[] =
    "the request may be in effect, but fewer members of the chain serve than have to "
    "(--min-members): ask again later";

}  // namespace

Admission::Admission(chain::Replica& replica, kj::Timer& timer, chain::ChainTime& time,
                     Limits limits)
    : replica(replica),
      timer(timer),
      time(time),
      limits(limits),
      closing(limits.pace, CLOSING_PER_TURN),
      closingDue(timer.now()),
      judging(limits.pace, JUDGING_PER_TURN),
      alarm(timer, time, [this]() { scheduleFlush(); }),
      tasks(*this) {}

kj::Promise<Answer> Admission::submit(std::vector<auction::Request> requests, std::size_t bytes) {
  if (!leading) {
    return Answer{Answer::Kind::unavailable, "this node is not the head: ask again", {}};
  }
  if (isShort()) return Answer{Answer::Kind::unavailable, TOO_SHORT, {}};
  if (pendingBytes + bytes > limits.pendingBytes ||
      replica.uncommittedBytes() > limits.uncommittedBytes) {
    return Answer{Answer::Kind::unavailable, "overloaded: ask again later", {}};
  }
  auto paf = kj::newPromiseAndFulfiller<Answer>();
  pendingBytes += bytes;
  arrived.push_back(Call{kj::mv(requests), bytes, 0, {}, 0, kj::mv(paf.fulfiller)});
  scheduleFlush();
  return kj::mv(paf.promise);
}

// Everything that arrives in one turn is judged together at its end.
void Admission::scheduleFlush() {
  if (flushing || !leading || !replica.orders() || isShort()) return;
  flushing = true;
  tasks.add(kj::evalLast([this]() {
    flushing = false;
    if (leading && replica.orders() && !isShort()) flush();
  }));
}

void Admission::flush() {
  if (!clockIsBelieved()) {
    refuseArrived();
    alarm.set(std::nullopt);  // Looks again later.
    return;
  }
  judging.restart();
  auto due = housekeeping();
  // At least one request is judged, so that closings do not hold requests up.
  auto left = judging.spent() ? 1 : REQUESTS_PER_TURN;
  std::size_t ready = 0;  // Calls that are judged as a whole.
  while (left > 0 && ready < arrived.size()) {
    auto& call = arrived[ready];
    left -= judge(call, left);
    if (call.judged == call.requests.size()) ++ready;
    if (judging.spent()) break;
  }
  // The batch borrows texts from the calls, which settle() may end.
  endBatch();
  for (; ready > 0; --ready) {
    auto& call = arrived.front();
    if (call.unconfirmed) {
      rejected.push_back(kj::mv(call));
    } else {
      settle(kj::mv(call));
    }
    arrived.pop_front();
  }
  confirmRejected();
  if (due == Due::later) {
    alarm.set(std::nullopt);
    goOnClosing();
  } else {
    alarm.set(replica.state().nextDeadline());
  }
  if (!arrived.empty() || due == Due::more) {
    // The timer lets what has arrived over the network meanwhile have its turn as well.
    flushing = true;
    tasks.add(timer.afterDelay(0 * kj::SECONDS).then([this]() {
      flushing = false;
      scheduleFlush();
    }));
  }
}

// A clock that is not believed is set by the wall clock again, which may have been set right
// meanwhile.  Nothing is stamped by it until then.
bool Admission::clockIsBelieved() {
  givenAt = time.sinceBoot();
  auto leap = time.leapAt(givenAt);
  if (leap > 0) {
    time.takeClock();
    leap = time.leapAt(givenAt);
  }
  if (leap > 0 && leap_ == 0) {
    logError(
        "this node's clock is not believed, and it takes no calls: set the clocks right, or if "
        "they are, use 'gavel chain clock --accept'",
        {{"above-newest-entry", formatDuration(leap * kj::NANOSECONDS)}});
  }
  if (leap == 0 && leap_ > 0) logInfo("this node's clock is believed again");
  leap_ = leap;
  return leap == 0;
}

void Admission::refuseArrived() {
  // Some requests of the first call may have been run.
  for (auto& call: arrived) {
    auto kind = call.logged ? Answer::Kind::unknown : Answer::Kind::unavailable;
    pendingBytes -= call.bytes;
    call.fulfiller->fulfill(Answer{kind, NOT_BELIEVED, {}});
  }
  arrived.clear();
}

kj::Promise<std::string> Admission::acceptClock(auction::Stamp limit) {
  if (!leading || !replica.acting()) return std::string("this node is not the head now");
  if (clockIsBelieved()) {
    scheduleFlush();
    return std::string("its clock is not in question: there is nothing to accept");
  }
  if (time.clock() > limit) {
    return std::string("its clock is above what was to be accepted: look again");
  }
  time.acceptLeap();
  leap_ = 0;
  log(nextEntry({}, auction::Tick{}), BYTES_PER_ENTRY);
  endBatch();
  scheduleFlush();
  return replica.whenCommitted(replica.logEnd().index, replica.newest().epoch).then([]() {
    return std::string();
  });
}

// Returns whether another entry that closes may be logged now, and counts it if so.
bool Admission::othersKeepUp() {
  auto now = timer.now();
  while (!closings.empty() && closings.front() <= replica.commit()) closings.pop_front();
  if (closings.size() >= MOST_UNCOMMITTED) return false;
  bool crowded = replica.state().uncaptured() >= MOST_UNCAPTURED;
  if (closingDue > now + (crowded ? 0 : CLOSING_BURST) * CLOSING_PAUSE) return false;
  closingDue = kj::max(closingDue, now) + (crowded ? CROWDED_PAUSE : CLOSING_PAUSE);
  closings.push_back(replica.state().lastIndex() + 1);
  return true;
}

// Lets the others keep up, then goes on.
void Admission::goOnClosing() {
  if (pausing) return;
  pausing = true;
  tasks.add(timer.afterDelay(CLOSING_PAUSE).then([this]() {
    pausing = false;
    scheduleFlush();
  }));
}

// Closes auctions that are due and ends idle sessions, as far as that fits into the turn and all
// nodes keep up.  Logs a tick if the chain is idle.
Admission::Due Admission::housekeeping() {
  auto& state = replica.state();
  auto idleTime = limits.sessionIdle / kj::NANOSECONDS;
  // After a leap, everybody's session looks idle.
  bool leapt = time.sinceLeap(givenAt) < idleTime;
  closing.restart();
  for (;;) {
    auto entry = nextEntry({}, auction::CloseExpired{limits.endedPerEntry});
    if (!state.expired(entry.stamp)) {
      auto idleSince = entry.stamp - idleTime;
      auto idlest = state.idlestSession();
      if (leapt || !idlest || *idlest >= idleSince) break;
      entry.command = auction::ExpireSessions{idleSince, limits.endedPerEntry};
    }
    if (!othersKeepUp()) return Due::later;
    log(entry, BYTES_PER_ENTRY);
    judging.spend(limits.endedPerEntry);
    if (!closing.spend(limits.endedPerEntry)) return Due::more;
  }
  if (time.sinceEntry(givenAt) >= limits.tickEvery / kj::NANOSECONDS && state.lastIndex() > 0) {
    log(nextEntry({}, auction::Tick{}), BYTES_PER_ENTRY);
  }
  return Due::none;
}

// Judges up to `most` of the call's requests that are not judged yet, and returns how many.
std::size_t Admission::judge(Call& call, std::size_t most) {
  auto bytesEach = call.bytes / std::max<std::size_t>(1, call.requests.size());
  auto first = call.judged;
  auto end = std::min(call.requests.size(), first + most);
  call.answer.outcomes.reserve(call.requests.size());
  auto& state = replica.state();
  auto fetched = first;
  for (bool more = true; more && call.judged < end; ++call.judged) {
    more = judging.spend(1);
    // A single request is looked up at once, without this.
    if (call.judged == fetched && end - fetched > 1) {
      auto next = std::min(end, fetched + auction::State::PREFETCHED);
      for (auto i = fetched; i < next; ++i) state.prefetchPlaces(call.requests[i].command);
      for (; fetched < next; ++fetched) state.prefetch(call.requests[fetched].command);
    }
    auto& request = call.requests[call.judged];
    if (request.invalid != auction::Outcome::Argument::none) {
      call.answer.outcomes.push_back(
          {.kind = auction::Outcome::Kind::invalidArgument, .argument = request.invalid});
      continue;
    }
    auto entry = nextEntry(request.id, request.command);
    // An auction that is due is closed first.  Then a late bid is refused on the ground of an entry
    // that every later head has in its log, whatever its clock says.
    if (auto due = state.due(entry.command, entry.stamp); !due.empty()) {
      entry.request = {};
      entry.command = auction::CloseDue{due};
      log(entry, BYTES_PER_ENTRY);
      entry = nextEntry(request.id, request.command);
    }
    auto judgement = state.judge(entry);
    if (judgement.log) {
      call.answer.outcomes.push_back(log(entry, bytesEach));
      call.basis = entry.index;
      call.logged = true;
    } else {
      call.answer.outcomes.push_back(judgement.outcome);
      if (planted(Bug::rejectOnUncommitted)) continue;
      call.basis = std::max(call.basis, judgement.basis);
      call.unconfirmed = true;
    }
  }
  return call.judged - first;
}

auction::Entry Admission::nextEntry(auction::RequestId id, const auction::Command& command) {
  givenAt = time.sinceBoot();
  auto stamp = planted(Bug::stampByClockAlone) ? time.clockAt(givenAt) : time.at(givenAt);
  return {replica.state().lastIndex() + 1, stamp, id, command};
}

auction::Outcome Admission::log(const auction::Entry& entry, std::size_t bytes) {
  auto outcome = replica.applyAhead(entry);
  time.noted(entry.stamp, givenAt);
  batch.push_back(entry);
  batchBytes += bytes;
  if (batchBytes >= BATCH_BYTES) endBatch();
  return outcome;
}

void Admission::endBatch() {
  if (batch.empty()) return;
  replica.append(batch);
  batch.clear();
  batchBytes = 0;
}

// One confirm runs at a time, for all calls that wait for one when it begins.
void Admission::confirmRejected() {
  if (confirming || rejected.empty() || !replica.acting()) return;
  confirming = true;
  tasks.add(replica.confirmed()
                .then(
                    [this, count = rejected.size()](std::uint64_t) mutable -> kj::Promise<void> {
                      for (count = std::min(count, rejected.size()); count > 0; --count) {
                        auto call = kj::mv(rejected.front());
                        rejected.pop_front();
                        settle(kj::mv(call));
                      }
                      return kj::READY_NOW;
                    },
                    [this](kj::Exception&&) -> kj::Promise<void> {
                      // The calls stay for the next attempt, perhaps in another configuration.
                      return timer.afterDelay(CONFIRM_PAUSE);
                    })
                .then([this]() {
                  confirming = false;
                  confirmRejected();
                }));
}

void Admission::settle(Call call) {
  if (call.basis <= replica.assured() || planted(Bug::answerBeforeCommit)) {
    pendingBytes -= call.bytes;
    call.fulfiller->fulfill(kj::mv(call.answer));
    return;
  }
  // A retry may rest on an earlier entry than the call before it.  It waits a little longer, which
  // keeps the order.
  if (!awaiting.empty()) call.basis = std::max(call.basis, awaiting.back().basis);
  awaiting.push_back(kj::mv(call));
}

void Admission::committed(std::uint64_t index) {
  index = kj::min(index, replica.assured());
  while (!awaiting.empty() && awaiting.front().basis <= index) {
    auto call = kj::mv(awaiting.front());
    awaiting.pop_front();
    pendingBytes -= call.bytes;
    call.fulfiller->fulfill(kj::mv(call.answer));
  }
}

void Admission::stopped() {
  alarm.set(std::nullopt);
}

void Admission::started() {
  bool now = isHead(replica.role());
  if (leading && !now) {
    for (auto* calls: {&arrived, &rejected, &awaiting}) abandon(*calls, REMOVED);
  }
  leading = now;
  closings.clear();
  if (leading && isShort()) {
    alarm.set(std::nullopt);
    abandon(arrived, TOO_SHORT);
    for (auto* calls: {&rejected, &awaiting}) abandon(*calls, MAY_BE_IN_EFFECT);
  }
  // Deadlines may have passed while there was no head.
  scheduleFlush();
  confirmRejected();
}

void Admission::caughtUp() {
  scheduleFlush();
}

bool Admission::isShort() const {
  return replica.newest().isShort() && !planted(Bug::ackInShortEpoch);
}

void Admission::abandon(std::deque<Call>& calls, const char* detail) {
  for (auto& call: calls) {
    pendingBytes -= call.bytes;
    // An entry that was made here may be in the log of the next head.
    auto kind = call.logged ? Answer::Kind::unknown : Answer::Kind::unavailable;
    call.fulfiller->fulfill(Answer{kind, detail, {}});
  }
  calls.clear();
}

void Admission::taskFailed(kj::Exception&& exception) {
  die("the head cannot go on", {{"error", exception.getDescription()}});
}

}  // namespace gavel::head
