#pragma once

#include <cstdint>
#include <vector>

#include <kj/common.h>
#include <kj/time.h>

#include "base/tcp-progress.h"

namespace gavel::chain {

// Why a direction of a link does not work (R6).
enum class LinkCause : std::uint8_t {
  pathDead,     // What is sent does not come to the other end's machine.
  processSlow,  // It comes there, and the process does not answer.
};

struct LinkTrouble {
  LinkCause cause = LinkCause::pathDead;
  kj::TimePoint since = kj::origin<kj::TimePoint>();

  bool operator==(const LinkTrouble&) const = default;
};

// Whether one direction of a link works, as the end that sends can tell (R6).
//
// Progress is of the hop alone.  What is asked for over the link, one thing after another, are the
// connection itself, the attachment, and checks, which are taken after the appends before them;
// every answer is progress, a refusal too.  What the chain says by way of the link (confirms,
// commits, what is durable) is none, as it may wait for other hops and for disks.
//
// Of what is not answered the kernel's own acknowledgments tell whose fault it is:
// - The path is dead if no connection is made, or the acknowledgments stand still while bytes wait
//   for one and the other end has room for them, for `patience`; or if that was so for half of the
//   last 10 times `patience`: a link that flaps.
// - The process is slow if nothing is answered for 3 times `patience`.
//
// A direction that did not work is believed again once a check as large as a bid may need was
// answered, and nothing was amiss for `patience` since.
//
// Of the time that an end was itself late, paused or starved, a quarter of a time of patience
// counts at most: what it has not seen may wait in its own kernel, and is read before it looks
// again.
//
// Pure: no clock, I/O or promises.  `now` never goes backwards.
class LinkProgress {
public:
  // What there is of a connection.
  enum class Connection : std::uint8_t {
    none,    // It is being made, or about to be.
    known,   // The kernel tells of it.
    opaque,  // It does not: a UNIX socket.
  };

  LinkProgress(kj::Duration patience, kj::TimePoint now);

  // How often look() wants to be called.
  kj::Duration lookEvery() const { return every; }

  // Something was asked for.  What was asked before and is not answered counts on, whatever has
  // become of the connection.
  void asked(kj::TimePoint now);
  // What was asked was answered.  `large`: both were more than any packet of a bid's.
  void answered(kj::TimePoint now, bool large);

  // Time has passed.  `kernel` belongs to `connection`.
  void look(kj::TimePoint now, Connection connection, const TcpProgress& kernel = {});

  // Null while it works, as far as is known.
  kj::Maybe<const LinkTrouble&> trouble() const;
  // The connection in use has come to nothing for so long that another one had better be made.
  bool hopeless() const { return hopeless_; }
  // Whether something is not answered.
  bool waiting() const { return askedSince != nullptr; }

private:
  kj::Duration patience;
  kj::Duration every;
  kj::TimePoint lastLook;
  kj::Maybe<kj::TimePoint> askedSince;     // The oldest that is not answered.
  kj::Maybe<kj::TimePoint> standingSince;  // The acknowledgments stand still.
  bool connected = false;                  // At the last look.
  bool waited = false;                     // Bytes waited for an acknowledgment at the last look.
  std::uint64_t acked = 0;                 // Likewise.
  std::vector<bool> stalls;                // The last looks, in a ring: whether the path stood.
  std::size_t nextStall = 0;
  std::size_t stallCount = 0;
  bool hopeless_ = false;
  bool inTrouble = false;
  LinkTrouble trouble_;
  kj::Maybe<kj::TimePoint> calmSince;  // In trouble: from a large answer on, with nothing amiss.

  void note(bool stalled);
  bool flaps() const { return 2 * stallCount >= stalls.size(); }
  void judge(kj::TimePoint now, Connection connection, bool stalled);
  void amiss(LinkCause cause, kj::TimePoint since);
};

}  // namespace gavel::chain
