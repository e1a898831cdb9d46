#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/timer.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/weak.h"
#include "master/announcer.h"
#include "master/bound-keeper.h"
#include "master/config-store.h"
#include "master/copies.h"
#include "master/dead-pairs.h"
#include "master/flapping.h"
#include "master/joining.h"
#include "master/ledger.h"
#include "master/link-reports.h"
#include "master/orders.h"
#include "master/outage.h"
#include "master/refusals.h"
#include "master/relink-timing.h"
#include "master/roster.h"
#include "master/slowness.h"
#include "master/start.h"
#include "master/suspicion.h"
#include "schema/master.capnp.h"

namespace gavel::master {

struct Settings {
  unsigned replicas = 3;  // How many members the chain is to have.
  kj::Duration suspectAfter = 1 * kj::SECONDS;
  kj::Duration maxSkew = 2 * kj::SECONDS;
  kj::Duration flapDelay = 1 * kj::SECONDS;  // See flapping.h.
  kj::Duration flapForgive = 60 * kj::SECONDS;
  // How long restarted members wait for the others after a total outage (R11).  Also how long a
  // master that has started asks members that do not answer.
  kj::Duration outageWait = 3 * kj::SECONDS;
  // How long nodes that cannot talk to each other are kept apart the first time (dead-pairs.h).
  kj::Duration linkRetry = 10 * kj::SECONDS;
  unsigned minMembers = 1;  // While fewer serve, nothing new is logged (R18).
};

// The configuration master.  It takes in what nodes report (service.h), suspects them (Suspicion),
// decides (membership.h, joining.h, outage.h, orders.h), stores the decision (Ledger) and announces
// it (Announcer).  This class only joins those, and has re-links measured (RelinkTiming).
//
//   master.cc            time and the store
//   master-nodes.cc      what nodes report, and what is known of them
//   master-decisions.cc  when each decision is made
//   master-links.cc      links that do not work
//   master-trust.cc      which stores and processes the master may go by (R11)
//
// One decision is under way at a time.  What is learnt meanwhile is part of the next one.
//
// If there are several masters on one store, each may hear other nodes than the rest, and undo what
// those have decided for theirs.  So a master whose configuration was replaced by another's stands
// by for a while: it sends its nodes away and decides nothing, until they have met at the other
// master.  A master that has something to decide can decide it, as it also goes by the answers of
// members that have not registered with it.
class Master final: private kj::TaskSet::ErrorHandler {
public:
  // All references must outlive the master.
  static kj::Promise<kj::Own<Master>> open(kj::Timer& timer, kj::Network& network,
                                           ConfigStore& store, const SystemClock& clock,
                                           Random& random, Settings settings);

  Master(kj::Timer& timer, kj::Network& network, const SystemClock& clock, Random& random,
         Settings settings, kj::Own<Ledger> ledger, kj::Own<BoundKeeper> bounds);
  KJ_DISALLOW_COPY(Master);

  // Rejects once this master cannot go on, because its store failed or one of its own rules is
  // broken.  The master then does nothing more, and the process should end (R12).  Never resolves.
  kj::Promise<void> failure() { return kj::mv(failed.promise); }

  kj::Own<Weak<Master>> ref() { return anchor.ref(); }

  // The following methods are for service.h.  A registration is named by its incarnation and a
  // session, which distinguishes it from one on another connection.

  struct Registered {
    std::uint64_t session;
  };
  struct Refused {
    kj::String why;
    bool forGood = true;  // False: the node should ask again, as the reason may pass.
  };
  using Admission = std::variant<Registered, Refused>;
  // Rejects with OVERLOADED if the node should try again later.  A node that is not a member is
  // registered only once it is found at its address.  `status` must stay valid until the promise
  // resolves.
  kj::Promise<Admission> registerNode(Application application, schema::NodeStatus::Reader status,
                                      schema::NodeControl::Client control);
  // Throws DISCONNECTED if the registration is not in force: the node has to register again.
  void heartbeat(std::uint64_t incarnation, std::uint64_t session,
                 schema::NodeStatus::Reader status);
  void report(std::uint64_t reporter, std::uint64_t epoch, std::uint64_t suspect,
              kj::StringPtr reason);
  // A member reports whether a link to a neighbour works (R6).
  void link(const LinkReport& report);
  // `reporter` reports that it gates `joiner` in `epoch` (R9).
  void gate(std::uint64_t reporter, std::uint64_t epoch, std::uint64_t joiner);
  void dropped(std::uint64_t incarnation, std::uint64_t session);

  // Takes an operator's order.  The rule is applied to the state of the moment at which the order's
  // turn comes.  Resolves when the ruling is stored.  Rejects with OVERLOADED if too many orders
  // wait.
  struct Answer {
    bool refused;
    std::string words;
  };
  kj::Promise<Answer> order(kj::Function<Ruling(const View&)> rule);

  // An operator vouches for the head's clock, unless that is above `limit` (R15).  Rejects if the
  // head does not answer; the head may have accepted it all the same.
  kj::Promise<Answer> acceptClock(std::int64_t limit);

  const Configuration& current() const { return ledger->current(); }
  std::int64_t wallClock() const { return clock.wall(); }
  kj::Duration heartbeatInterval() const { return settings.suspectAfter / 10; }
  kj::Duration linkPatience() const { return settings.suspectAfter; }

  struct KnownNode {
    Member member;
    const Node* node;        // Null if it has not registered since this master started.
    std::int64_t lastHeard;  // Nanoseconds ago; -1: never.
    schema::NodeEntry::Standing standing;
    std::string note;  // Why it is not a member; for a member, why a new process was refused.
    bool acts;         // It is a member that has adopted the configuration in force.
  };
  // Returns members in chain order, then the others by name.
  std::vector<KnownNode> nodes() const;
  // Two nodes that cannot talk to each other, and for how long.
  struct BrokenLink {
    std::string a, b;
    kj::Duration lasting;
    std::string cause;
    bool dead;           // It is confirmed; false: it is only reported.
    kj::Duration retry;  // The time until they may be neighbours again.
  };
  std::vector<BrokenLink> brokenLinks() const;
  const LinkReports& linkReports() const { return links; }
  // Returns what this master waits for and what the operator can do; empty: all is well.
  std::string notice() const;
  // Returns the re-links, oldest first, with durations that are known but not stored yet.
  std::vector<Relink> relinks() const;

private:
  struct Gate {
    std::uint64_t epoch;
    std::uint64_t reporter;
    std::uint64_t joiner;
  };
  struct Order {
    kj::Function<Ruling(const View&)> rule;
    kj::Own<kj::PromiseFulfiller<Answer>> answer;
  };

  kj::Timer& timer;
  kj::Network& network;
  const SystemClock& clock;
  Random& random;
  Settings settings;
  kj::Own<Ledger> ledger;
  kj::Own<BoundKeeper> bounds;
  Roster roster;
  Copies copies;
  Start start;
  Suspicion suspicion;
  Flapping flapping;
  Slowness slowness;
  LinkReports links;
  DeadPairs deadPairs;
  kj::Maybe<kj::TimePoint> lastTakenApart;  // When serving members were, for a dead pair.
  Configuration lastSeen;                   // The one that noteMemberships() saw last.
  std::map<std::uint64_t, Told> told;       // By the incarnation of a serving member.
  kj::Maybe<Gate> gated;                    // The newest gate that was valid when it came.
  Orders orders;
  std::deque<Order> waiting;  // Orders whose turn has not come.
  std::string abandoned;      // Says which replacement was abandoned last, and why.
  std::uint64_t lastSession = 0;
  kj::Maybe<kj::TimePoint> wokeAt;  // When this process woke from its last pause.
  bool stopped = false;             // The master has failed.
  bool evaluating = false;          // evaluate() is about to run.
  kj::Maybe<kj::TimePoint> standbyUntil;
  kj::Maybe<kj::TimePoint> gatherUntil;
  kj::Maybe<Outage> outage;              // Set while no serving member runs.
  kj::Maybe<kj::TimePoint> sourceSince;  // Since when a source is there.
  std::string forming;                   // What is awaited before the first configuration.
  std::string complaint;                 // Why lost members stay, as last logged.
  Refusals refusals;
  // The highest epoch of this cluster above this master's that a process has shown, and which
  // process that was.
  struct Shown {
    std::uint64_t epoch = 0;
    std::uint64_t reign = 0;
    std::string who = {};
    kj::TimePoint since = kj::origin<kj::TimePoint>();
    bool said = false;
  };
  Shown newestShown;
  std::uint64_t saidPromised = 0;  // The log says that a member has promised this epoch.
  std::string foreign;             // Names a node of a cluster that asked this empty master.
  bool rulesSeen = false;          // considerRules() has compared --min-members.
  RelinkTiming timing;
  kj::Maybe<kj::TimePoint> storeDurationsAt;
  kj::PromiseFulfillerPair<void> failed;
  Announcer announcer;
  WeakAnchor<Master> anchor;
  kj::Canceler canceler;  // Ends what callers keep alive: a call goes on when its server is gone.
  kj::TaskSet tasks;      // Last: no task outlives what it uses.

  // Time.
  void wake();
  // Whether what arrives now may have waited while this process was paused.
  bool justWoke() const;
  kj::Promise<void> tick();
  void evaluateSoon();
  void evaluateAt(kj::TimePoint when);

  // Decisions.
  void evaluate();
  void startProbes();
  void considerForming();
  // These return whether a decision is made, or is about to be made.
  bool considerGate();
  bool considerRemoving();
  void askLostAgain();
  bool considerSlow();
  bool considerOutage();
  bool considerLinks();
  void considerJoining();
  bool awaitOtherProbes();
  Document documentWith(Configuration next) const;
  void put(Configuration next, kj::TimePoint since);
  void written(const Configuration& mine, kj::TimePoint since);
  enum class By { us, others };
  void configurationChanged(By by);
  void standBy();
  bool standsBy() const;
  void noteMemberships();
  void complain(const std::string& why);
  void considerRules();

  // Which stores and processes to go by (R11).
  Bound bound() const { return bounds->highest(ledger->document()); }
  bool mayDecide();
  void askMembers();
  bool isAhead() const { return newestShown.epoch > current().epoch; }
  void noteShown(const Member& member, std::uint64_t clusterId, schema::NodeStatus::Reader status);
  const Candidate* memberWithPromise() const;
  void noteForeign(const Candidate& candidate);
  std::string noticeOfTrust() const;
  void refuseOrders(const std::string& why);
  kj::Maybe<kj::String> whyCopy(const Candidate& candidate);
  std::vector<Candidate> holdersOf(const Candidate& candidate) const;
  bool livesSince(std::uint64_t incarnation, kj::TimePoint since) const;
  std::string copyOf(const Node& node) const;

  // Links.
  void noteLinks();
  std::set<std::uint64_t> lostMembers() const;
  bool actsNow(const Member& member) const;
  bool gateIsOverDeadPair() const;
  std::string whyNotAfterTail(const std::string& name) const;
  std::string linkNotice() const;

  // Orders.
  View view() const;
  void carryOutOrders();
  void carryOut(Ruling ruling, kj::Maybe<kj::Own<kj::PromiseFulfiller<Answer>>> answer);
  void enact(const Ruling& ruling, kj::Maybe<kj::Own<kj::PromiseFulfiller<Answer>>> answer);

  // What is known of nodes.
  Newcomer describe(const Node& node) const;
  void comparePace();
  bool hangsForSure(const Node& node) const;
  std::vector<Newcomer> newcomers() const;
  struct Standing {
    schema::NodeEntry::Standing standing;
    std::string note;
  };
  Standing standingOf(const Node& node) const;
  std::string unheardMembers() const;
  void mergeRefusals(std::vector<KnownNode>& all) const;
  kj::Maybe<Refused> whyNot(const Application& application, schema::NodeStatus::Reader status);
  Registered letIn(const Application& application, schema::NodeStatus::Reader status,
                   schema::NodeControl::Client control);
  void supersede(const Member& newcomer);
  void sayRefused(const Member& member, const std::string& why, const std::string& about);
  void noteSuccessions(const Member& newcomer);
  void noteStatus(Node& node, schema::NodeStatus::Reader status, std::int64_t skew);
  void warnOfSkew(Node& node);
  void noteTold(const Candidate& candidate, schema::NodeStatus::Reader status);
  const Member* liveNamesake(const Member& newcomer) const;
  void forget(std::uint64_t incarnation);
  void forgetNamed(const std::string& name);
  void prune();
  void forgetPredecessors();

  // Measurement.
  void acknowledged(std::uint64_t incarnation, std::uint64_t epoch);
  void warnIfSlow();
  void storeDurations();

  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::master
