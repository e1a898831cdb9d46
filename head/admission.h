#pragma once

#include <deque>
#include <string>
#include <vector>

#include <kj/async.h>
#include <kj/timer.h>

#include "auction/command.h"
#include "auction/outcome.h"
#include "auction/request.h"
#include "base/turn-budget.h"
#include "chain/chain-time.h"
#include "chain/replica.h"
#include "head/deadline-alarm.h"

namespace gavel::head {

// The answer to a call.
struct Answer {
  enum class Kind : std::uint8_t {
    decided,      // `outcomes` has one per request.  What they rest on is committed.
    unavailable,  // Nothing of it was run, and nothing will be.
    unknown,      // Some of it may be in effect; this node could not learn whether it is.
  };
  Kind kind = Kind::decided;
  const char* detail = "";
  std::vector<auction::Outcome> outcomes;
};

// The head's desk.  It puts requests in order, stamps them with chain time (R15) and judges them.
// In each turn of the event loop it makes a batch of those that belong into the log (R5, R8), or
// several if they are large.  It answers a call once everything that the answer rests on is
// committed (R7, R8).
//
// A request is judged on the state that all requests before it have made, committed or not, and its
// answer waits until that state is committed.  So a retry of a request in flight waits for the same
// outcome.  An outcome that is not in the log also waits until the chain has confirmed that this
// node was still its head when it judged (R8, R10).  No answer rests on what only an epoch with too
// few members has committed (R18).  A new head takes over only the log.  It judges once it has
// applied all of it, request records included, so that retries find their outcomes.
//
// Closing auctions and judging requests share a part of each turn (R16), so that neither many
// deadlines at once nor many requests hold up the event loop.  Closings go on only as fast as all
// nodes keep up.  So an auction may be due and not closed yet: it is closed before a request on it
// is judged.
class Admission final: private kj::TaskSet::ErrorHandler {
public:
  struct Limits {
    // Bytes of calls that are not answered, and of log entries that are not committed (R13).
    std::size_t pendingBytes = 256 * 1024 * 1024;
    std::size_t uncommittedBytes = 64 * 1024 * 1024;
    // Sessions that are unused for longer are ended (R7).  None is ended for this long after chain
    // time may have leapt.
    kj::Duration sessionIdle = 60 * kj::MINUTES;
    // A head that has logged nothing for this long logs a tick (R15).
    kj::Duration tickEvery = 60 * kj::MINUTES;
    // How many auctions or sessions one entry ends.  Few enough for the head to look at the clock
    // often enough, which it does between two such entries (R16).
    std::uint32_t endedPerEntry = 200;
    WorkPace pace;
  };

  Admission(chain::Replica& replica, kj::Timer& timer, chain::ChainTime& time, Limits limits);
  KJ_DISALLOW_COPY(Admission);

  // True if this node is the head in the newest configuration in which it has acted: it takes
  // calls, though it refuses them all while too few members serve (R18).
  bool takesCalls() const { return leading; }

  // `bytes` is about what the call holds in memory.  Texts in `requests` must stay valid until the
  // promise is done, so calls must not be cancelled.
  kj::Promise<Answer> submit(std::vector<auction::Request> requests, std::size_t bytes);

  // By how many nanoseconds the clock is above what it may be (R15); 0 if it is not.  Above 0 this
  // head takes no calls and closes nothing.
  std::int64_t leap() const { return leading ? leap_ : 0; }
  // Takes an operator's word that the clock is right if it is not above `limit`.  Resolves to an
  // empty text once an entry with that time is committed, or to the reason, for people, why there
  // will be none.  Fails with OVERLOADED if the chain was re-linked meanwhile: then nobody knows.
  kj::Promise<std::string> acceptClock(auction::Stamp limit);

  // The node passes these on from the replica.
  void stopped();
  void started();
  void caughtUp();
  void committed(std::uint64_t index);

private:
  // What housekeeping() has left to close or to end.
  enum class Due : std::uint8_t {
    none,
    more,   // Something, for the next turn.
    later,  // Something, for when the others have kept up.
  };
  struct Call {
    std::vector<auction::Request> requests;
    std::size_t bytes = 0;
    std::size_t judged = 0;  // How many of the requests.
    Answer answer;
    std::uint64_t basis = 0;  // The index that must be committed before the answer is given.
    kj::Own<kj::PromiseFulfiller<Answer>> fulfiller;
    bool logged = false;       // An entry was made of at least one of the requests.
    bool unconfirmed = false;  // The chain has to confirm it as well.
  };

  chain::Replica& replica;
  kj::Timer& timer;
  chain::ChainTime& time;
  Limits limits;
  std::int64_t givenAt = 0;  // When this turn began, or its newest entry was stamped; since boot.
  std::int64_t leap_ = 0;    // As of the last look at the clock.
  bool leading = false;  // Head in the newest configuration acted in; kept while adopting the next.

  std::deque<Call> arrived;   // Not judged yet, except some requests of the first, perhaps.
  std::deque<Call> rejected;  // Judged; the chain has to confirm them.
  std::deque<Call> awaiting;  // Judged, and confirmed where that is needed; in order of `basis`.
  bool confirming = false;
  std::size_t pendingBytes = 0;
  std::vector<auction::Entry> batch;
  std::size_t batchBytes = 0;
  bool flushing = false;
  TurnBudget closing;
  std::deque<std::uint64_t> closings;  // Indexes of entries that close, and may be uncommitted.
  kj::TimePoint closingDue;            // When the next one is due at their pace.
  bool pausing = false;                // Closing waits for the others to keep up.
  TurnBudget judging;                  // Includes the closings of the turn.
  DeadlineAlarm alarm;
  kj::TaskSet tasks;

  void scheduleFlush();
  void flush();
  bool clockIsBelieved();
  void refuseArrived();
  bool othersKeepUp();
  void goOnClosing();
  Due housekeeping();
  std::size_t judge(Call& call, std::size_t most);
  auction::Entry nextEntry(auction::RequestId id, const auction::Command& command);
  auction::Outcome log(const auction::Entry& entry, std::size_t bytes);
  void endBatch();
  void confirmRejected();
  void settle(Call call);
  // True while too few members serve: nothing is judged or logged (R18).
  bool isShort() const;
  // Answers the calls that they are over; `detail` says why.
  void abandon(std::deque<Call>& calls, const char* detail);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::head
