#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include "chain/link-progress.h"

namespace gavel::chain {

// The neighbour to which a direction of a link goes.
enum class LinkDirection : std::uint8_t { toSuccessor, toPredecessor };

// Watches one direction of a link from the end that sends, over all connections that it takes in an
// epoch (R6).  It asks the other end for checks, looks at what the kernel says, and passes on to
// the host what LinkProgress finds: again and again while there is trouble, and when it is over.
class LinkWatch final: private kj::TaskSet::ErrorHandler {
public:
  // The link.  Outlives the watch.
  class Host {
  public:
    // Asks the other end for an answer over the connection in use, with `padding` bytes to carry.
    virtual kj::Promise<void> check(std::size_t padding) = 0;
    // The progress of the connection in use; null where the kernel does not know.
    virtual kj::Maybe<TcpProgress> progress() = 0;
    // Null: it works again.
    virtual void linkTrouble(kj::Maybe<const LinkTrouble&> trouble) = 0;
    // The connection in use brings nothing.
    virtual void linkHopeless() = 0;
    // The other end has refused a check: for it, this link is not one of this epoch.
    virtual void linkRefused(kj::Exception&& why) = 0;
  };

  LinkWatch(Host& host, kj::Timer& timer, kj::Duration patience);
  KJ_DISALLOW_COPY(LinkWatch);

  // A connection is about to be made, or something is about to be asked over it.
  void asked() { progress.asked(timer.now()); }
  // The connection was made, or what was asked was answered.
  void answered() { progress.answered(timer.now(), false); }
  // There is a connection; it takes no checks yet.
  void connected();
  // From now on checks may be asked for.
  void attached();
  // `bytes` were sent over the connection.
  void sent(std::size_t bytes);
  // The connection is gone.
  void disconnected();

private:
  Host& host;
  kj::Timer& timer;
  const kj::Duration patience;
  LinkProgress progress;
  bool isConnected = false;
  bool isAttached = false;
  bool checking = false;
  std::uint64_t connection = 0;  // Number of the one in use; answers on others do not count.
  std::size_t sentSince = 0;     // Bytes since the last large check.
  bool sentAnything = false;     // Since the last check.
  kj::TimePoint lastCheck;
  kj::TimePoint lastLarge;
  bool told = false;  // Trouble was reported.
  kj::TimePoint toldAt;
  kj::TaskSet tasks;  // Last: its tasks use the rest.

  kj::Promise<void> run();
  void look();
  void checkIfDue();
  void tell();
  void taskFailed(kj::Exception&& exception) override;
};

// What a large check carries: more than any path takes as one packet (R6).
constexpr std::size_t LARGE_CHECK = 64 * 1024;

}  // namespace gavel::chain
