#pragma once

#include <cstdint>
#include <vector>

#include <kj/common.h>
#include <kj/time.h>

#include "base/tcp-progress.h"

namespace gavel::chain {

// Why a direction of a link does not work (R6).
enum class LinkCause : std::uint8_t {
  pathDead,     // What is sent does not reach the other end's machine.
  processSlow,  // It gets there, and the process does not answer.
};

struct LinkTrouble {
  LinkCause cause = LinkCause::pathDead;
  kj::TimePoint since = kj::origin<kj::TimePoint>();

  bool operator==(const LinkTrouble&) const = default;
};

// Whether one direction of a link works, as far as the end that sends can see (R6).
//
// Progress is of the hop alone.  Three things are asked for over the link, one after another: the
// connection itself, the attachment, and checks, which are taken after the appends before them.
// Every answer is progress, a refusal too.  What the chain reports over the link (confirms,
// commits, what is durable) is no progress, since it may wait for other hops and for disks.
//
// The kernel's own acknowledgments show why something is not answered:
// - The path is dead if no connection is made, or if the acknowledgments stand still while bytes
//   wait for one and the other end has room for them, for `patience`.  It is also dead if that was
//   so for half of the last 10 times `patience`: the link flaps.
// - The process is slow if nothing is answered for 3 times `patience`.
//
// A direction that did not work is believed again once a check as large as a bid may need was
// answered, and nothing has been amiss for `patience` since.
//
// If an end was itself late, paused or starved, a quarter of `patience` counts of that time at
// most: what it has not seen may wait in its own kernel, and is read before it looks again.
//
// Pure: no clock, I/O or promises.  `now` never goes backwards.
class LinkProgress {
public:
  // What is known of a connection.
  enum class Connection : std::uint8_t {
    none,    // It is being made, or about to be.
    known,   // The kernel reports its progress.
    opaque,  // The kernel does not: a UNIX socket.
  };

  LinkProgress(kj::Duration patience, kj::TimePoint now);

  // The time between two calls of look().
  kj::Duration lookEvery() const { return every; }

  // Something was asked for.  What was asked before and is not answered still counts, whatever has
  // happened to the connection.
  void asked(kj::TimePoint now);
  // What was asked was answered.  `large`: question and answer were larger than any packet
  // of a bid.
  void answered(kj::TimePoint now, bool large);

  // Time has passed.  `kernel` is the progress of `connection`.
  void look(kj::TimePoint now, Connection connection, const TcpProgress& kernel = {});

  // Null while it works, as far as is known.
  kj::Maybe<const LinkTrouble&> trouble() const;
  // Whether the connection in use has brought nothing for so long that another one should be made.
  bool hopeless() const { return hopeless_; }
  // Whether something is not answered.
  bool waiting() const { return askedSince != nullptr; }

private:
  kj::Duration patience;
  kj::Duration every;
  kj::TimePoint lastLook;
  kj::Maybe<kj::TimePoint> askedSince;     // When the oldest unanswered question was asked.
  kj::Maybe<kj::TimePoint> standingSince;  // Since when acknowledgments stand still.
  bool connected = false;                  // At the last look.
  bool waited = false;                     // Bytes waited for an acknowledgment at the last look.
  std::uint64_t acked = 0;                 // Bytes acknowledged at the last look.
  std::vector<bool> stalls;                // A ring of the last looks: whether the path stood.
  std::size_t nextStall = 0;
  std::size_t stallCount = 0;
  bool hopeless_ = false;
  bool inTrouble = false;
  LinkTrouble trouble_;
  kj::Maybe<kj::TimePoint> calmSince;  // In trouble: since a large answer, with nothing amiss.

  void note(bool stalled);
  bool flaps() const { return 2 * stallCount >= stalls.size(); }
  void judge(kj::TimePoint now, Connection connection, bool stalled);
  void amiss(LinkCause cause, kj::TimePoint since);
};

}  // namespace gavel::chain
