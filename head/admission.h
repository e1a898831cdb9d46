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

// What became of a call.
struct Answer {
  enum class Kind : std::uint8_t {
    decided,      // `outcomes`, one per request, committed.
    unavailable,  // Nothing of it was run, and nothing will be.
    unknown,      // This node was removed from the chain before it could know.
  };
  Kind kind = Kind::decided;
  const char* detail = "";
  std::vector<auction::Outcome> outcomes;
};

// The head's desk: puts requests in order, stamps them with chain time (R15), judges them, and
// makes one batch per turn of the event loop of those that belong into the log (R5, R8).  Answers a
// call once everything it rests on is committed (R7, R8).
//
// A request is judged on the state that all requests before it have made, committed or not; its
// answer waits until that state is committed.  A retry of a request in flight thereby waits for the
// same outcome.  An outcome that is not in the log itself also waits until the chain has confirmed
// that this node was still its head when it judged (R8, R10).  No answer rests on what only an
// epoch with too few members has committed (R18).  After a promotion there is nothing to take over
// but the log: the new head judges once it has applied it, request records included, so that
// retries find their outcomes.
//
// Closing auctions and judging requests share a part of each turn (R16), so that neither many
// deadlines at once nor many requests hold up the event loop; and closings go on no faster than all
// nodes keep up with.  So auctions may be due and not
// closed yet; such a one is closed before anything that is asked of it is judged.
class Admission final: private kj::TaskSet::ErrorHandler {
public:
  struct Limits {
    // Of calls not yet answered, and of log entries not yet committed (R13).
    std::size_t pendingBytes = 256 * 1024 * 1024;
    std::size_t uncommittedBytes = 64 * 1024 * 1024;
    // Sessions unused for longer are ended (R7), but for as long after chain time may have leapt.
    kj::Duration sessionIdle = 60 * kj::MINUTES;
    // A head that has logged nothing for so long logs a tick (R15).
    kj::Duration tickEvery = 60 * kj::MINUTES;
    // Auctions closed, or sessions ended, by one entry: few enough for the time of a turn to be
    // looked at between two of them (R16).
    std::uint32_t endedPerEntry = 200;
    WorkPace pace;
  };

  Admission(chain::Replica& replica, kj::Timer& timer, chain::ChainTime& time, Limits limits);
  KJ_DISALLOW_COPY(Admission);

  // This node is the head, or was until a moment ago and may be again: it takes calls, though it
  // refuses them all while fewer members serve than have to (R18).
  bool takesCalls() const { return leading; }

  // `bytes` is about what the call holds in memory.  Texts in `requests` must stay valid until the
  // promise is done: calls are not to be cancelled.
  kj::Promise<Answer> submit(std::vector<auction::Request> requests, std::size_t bytes);

  // By how much the clock is above what it may be, so that this head takes no calls and closes
  // nothing (R15); 0 if there is no such thing.
  std::int64_t leap() const { return leading ? leap_ : 0; }
  // An operator says that the clock is right, unless it is above `limit`.  Resolves once an entry
  // with that time is committed, with an empty text; or with the reason, for people, why there will
  // be none.  Fails with OVERLOADED if that is not known, as the chain was re-linked meanwhile.
  kj::Promise<std::string> acceptClock(auction::Stamp limit);

  // From the replica, by way of the node.
  void stopped();
  void started();
  void caughtUp();
  void committed(std::uint64_t index);

private:
  // Of what there is to close and to end by itself.
  enum class Due : std::uint8_t {
    none,
    more,   // In the next turn.
    later,  // When the others have kept up.
  };
  struct Call {
    std::vector<auction::Request> requests;
    std::size_t bytes = 0;
    std::size_t judged = 0;  // Of the requests.
    Answer answer;
    std::uint64_t basis = 0;  // To be committed before the answer may be told.
    kj::Own<kj::PromiseFulfiller<Answer>> fulfiller;
    bool logged = false;       // An entry was made of at least one of the requests.
    bool unconfirmed = false;  // To be confirmed as well.
  };

  chain::Replica& replica;
  kj::Timer& timer;
  chain::ChainTime& time;
  Limits limits;
  std::int64_t givenAt = 0;  // When this turn began, or its newest entry was stamped; since boot.
  std::int64_t leap_ = 0;    // As of the last look at the clock.
  bool leading = false;  // Head in the newest configuration acted in; kept while adopting the next.

  std::deque<Call> arrived;   // Not judged yet; of the first, some requests may be.
  std::deque<Call> rejected;  // Judged; for the chain to confirm.
  std::deque<Call> awaiting;  // Judged, confirmed where that is needed; in order of `basis`.
  bool confirming = false;
  std::size_t pendingBytes = 0;
  std::vector<auction::Entry> batch;
  std::size_t batchBytes = 0;
  bool flushing = false;
  TurnBudget closing;
  std::deque<std::uint64_t> closings;  // Indexes of entries that close, and may be uncommitted.
  kj::TimePoint closingDue;            // Another one, were they logged at their pace.
  bool pausing = false;                // As the others have to keep up.
  TurnBudget judging;                  // With the closings of the turn.
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
  // Judges and logs nothing: fewer members serve than have to (R18).
  bool isShort() const;
  // `detail` says why.
  void abandon(std::deque<Call>& calls, const char* detail);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::head
