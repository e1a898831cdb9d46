#pragma once

#include <string>
#include <vector>

#include <kj/async-io.h>
#include <kj/timer.h>

#include "base/connection.h"
#include "base/random.h"
#include "base/weak.h"
#include "chain/replica.h"
#include "schema/master.capnp.h"
#include "topology/configuration.h"

namespace gavel::node {

// A node's session with the master (see docs/design.md, 'Master').  It registers, sends heartbeats,
// passes configurations on, and starts over with the next master address whenever the connection is
// lost.  While no master lives, only re-linking stops.
class MasterSession final: private kj::TaskSet::ErrorHandler {
public:
  // The node, which must outlive the session.
  class Host {
  public:
    virtual void describe(schema::NodeStatus::Builder builder) = 0;
    virtual std::uint64_t clusterId() = 0;
    virtual bool empty() = 0;
    virtual kj::Promise<void> adopt(const Configuration& configuration) = 0;
    // Returns why this node refuses the configuration, for the master's operators; null if it does
    // not.
    virtual kj::Maybe<kj::String> whyNotAdopt(const Configuration& configuration) = 0;
    // The master does not take this node now, perhaps because its clock and the master's differ.
    virtual void clockIsWrong() = 0;
    // An operator says that the clock is right (NodeControl.acceptClock in schema/master.capnp).
    virtual kj::Promise<std::string> acceptClock(std::int64_t limit) = 0;
    // The master says how long a link may go without progress (R6).
    virtual void setLinkPatience(kj::Duration patience) = 0;
  };

  MasterSession(kj::Network& network, kj::Timer& timer, Random& random,
                std::vector<std::string> masters, Host& host);
  KJ_DISALLOW_COPY(MasterSession);

  // Never resolves.  Is rejected, with a text for the operator, if the master refuses the node for
  // good.
  kj::Promise<void> run();

  // Why a master refuses this node now, for people; empty: none does.
  kj::StringPtr refusal() const { return refused.c_str(); }

  // These three are lost while there is no master, so the caller repeats them.

  // Reports that a neighbour cannot be reached; the master may know more.
  void report(std::uint64_t epoch, std::uint64_t suspect, kj::StringPtr reason);

  // Reports that a link does not work, or works again (R6).
  void reportLink(const chain::Replica::LinkReport& report);

  // Reports that this node, as tail of `epoch`, gates the syncing member `joiner` (R9).
  void gate(std::uint64_t epoch, std::uint64_t joiner);

private:
  class Control;

  kj::Network& network;
  kj::Timer& timer;
  Random& random;
  std::vector<std::string> masters;
  Host& host;

  std::size_t next = 0;  // Index in `masters`.
  kj::Duration backoff;
  std::string refused;      // The last refusal; empty once it is registered.
  std::string saidRefusal;  // The one that was logged; NOT_NOW for any that may pass.
  bool saidLost = false;
  kj::Duration interval;
  kj::Maybe<kj::Own<Connection>> connection;
  kj::Maybe<schema::Registration::Client> registration;
  kj::Maybe<kj::String> refusedForGood;
  WeakAnchor<MasterSession> anchor;
  kj::TaskSet tasks;

  kj::Promise<void> attempt(kj::StringPtr address);
  kj::Promise<void> registerHere(kj::StringPtr address);
  kj::Promise<void> beat();
  void tell(kj::Promise<void> call);
  void lost(kj::StringPtr address, const kj::Exception& exception);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::node
