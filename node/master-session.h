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

// A node's standing with the master: registers, sends heartbeats, passes configurations on, and
// starts over with the next master address whenever the connection is lost.  A dead master stops
// nothing but re-linking (design.md §5).
class MasterSession final: private kj::TaskSet::ErrorHandler {
public:
  // The node.  Outlives the session.
  class Host {
  public:
    virtual void describe(schema::NodeStatus::Builder builder) = 0;
    virtual std::uint64_t clusterId() = 0;
    virtual bool empty() = 0;
    virtual kj::Promise<void> adopt(const Configuration& configuration) = 0;
    // Why that is to be refused, for the master's operators; null: it is not.
    virtual kj::Maybe<kj::String> whyNotAdopt(const Configuration& configuration) = 0;
    // The master refuses this node, as its clock and the master's differ.
    virtual void clockIsWrong() = 0;
    // An operator's word on the clock (master.capnp's NodeControl.acceptClock).
    virtual kj::Promise<std::string> acceptClock(std::int64_t limit) = 0;
    // As the master would have it (R6).
    virtual void setLinkPatience(kj::Duration patience) = 0;
  };

  MasterSession(kj::Network& network, kj::Timer& timer, Random& random,
                std::vector<std::string> masters, Host& host);
  KJ_DISALLOW_COPY(MasterSession);

  // Never resolves.  Rejected, with a text for the operator, if the master refuses the node for
  // good.
  kj::Promise<void> run();

  // Why a master refuses this node now, for people; empty: none does.
  kj::StringPtr refusal() const { return refused.c_str(); }

  // A neighbour cannot be reached: the master may know more.  Lost if there is no master now.
  void report(std::uint64_t epoch, std::uint64_t suspect, kj::StringPtr reason);

  // A link does not work, or does again (R6).  Lost likewise: to be repeated.
  void reportLink(const chain::Replica::LinkReport& report);

  // As tail of `epoch`, this node gates the syncing member `joiner` (R9).  Lost likewise: to be
  // repeated.
  void gate(std::uint64_t epoch, std::uint64_t joiner);

private:
  class Control;

  kj::Network& network;
  kj::Timer& timer;
  Random& random;
  std::vector<std::string> masters;
  Host& host;

  std::size_t next = 0;  // In `masters`.
  kj::Duration backoff;
  std::string refused;      // Until registered again.
  std::string saidRefusal;  // Likewise; but for one that may pass, which is said once.
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
