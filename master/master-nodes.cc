#include <algorithm>
#include <utility>

#include <kj/debug.h>

#include "base/duration.h"
#include "base/logging.h"
#include "master/master.h"
#include "master/reachable.h"

namespace gavel::master {
namespace {

constexpr std::int64_t ALARMING_SKEW = 500'000'000;  // R15
// How many nodes that are neither members nor connected are remembered, for the operator.
constexpr std::size_t GONE_KEPT = 32;
// A node that is refused for its clock tries again within this time, even if it waits for other
// masters in between.
constexpr auto TRIES_AGAIN = 10 * kj::SECONDS;
// Stands for the words that refuse a clock, as these say the time and differ each time.
constexpr const char* CLOCK = "clock";
// The longest check of an address before its node is registered.  Nodes wait much longer for an
// answer.
constexpr auto LONGEST_CHECK = 500 * kj::MILLISECONDS;

}  // namespace

kj::Promise<Master::Admission> Master::registerNode(Application application,
                                                    schema::NodeStatus::Reader status,
                                                    schema::NodeControl::Client control) {
  KJ_IF_MAYBE (refused, whyNot(application, status)) {
    return Admission(kj::mv(*refused));
  }
  auto& member = application.candidate.member;
  auto* known = roster.find(member.incarnation);
  bool found = known != nullptr && known->member().address == member.address;
  if (found || current().contains(member.incarnation)) {
    // A member that this master cannot reach may serve well, so suspicion is to judge it.
    return Admission(letIn(application, status, kj::mv(control)));
  }
  auto patience = kj::min(suspicion.probeTimeout(), LONGEST_CHECK);
  auto unreachable = whyUnreachable(network, timer, member, patience);
  return canceler.wrap(
      unreachable.then([this, application = kj::mv(application), status,
                        control = kj::mv(control)](kj::Maybe<kj::String> why) mutable -> Admission {
        KJ_IF_MAYBE (words, why) {
          wake();
          sayRefused(application.candidate.member, words->cStr(), words->cStr());
          return Refused{kj::mv(*words), false};
        }
        // The state may have changed during the check.
        KJ_IF_MAYBE (refused, whyNot(application, status)) {
          return kj::mv(*refused);
        }
        return letIn(application, status, kj::mv(control));
      }));
}

kj::Maybe<Master::Refused> Master::whyNot(const Application& application,
                                          schema::NodeStatus::Reader status) {
  wake();
  auto& member = application.candidate.member;
  if (standsBy()) {
    kj::throwFatalException(
        KJ_EXCEPTION(OVERLOADED, "this master stands by, as another one leads: ask that one"));
  }
  if (justWoke() && application.skew < 0 && magnitude(application.skew) > settings.maxSkew) {
    // Its clock may be right, and its message old, so it has to try again.
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "this master was paused: try again"));
  }
  if (current().epoch == 0) noteForeign(application.candidate);
  // A node that is refused for the master that it follows counts here as well.
  noteShown(member, application.candidate.clusterId, status);
  kj::Maybe<StoreRecord> newest;
  if (auto* record = ledger->document().findStore(member.storeId)) newest = *record;
  KJ_IF_MAYBE (why, whyRefused(application, current(), liveNamesake(member), newest, bound())) {
    sayRefused(member, why->cStr(), why->cStr());
    return Refused{kj::mv(*why)};
  }
  KJ_IF_MAYBE (why, whyClockRefused(application, current(), clock.wall(), settings.maxSkew)) {
    sayRefused(member, why->cStr(), CLOCK);
    return Refused{kj::mv(*why), false};
  }
  if (isAhead()) {
    kj::throwFatalException(
        kj::Exception(kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
                      kj::str("this master's store ends at epoch ", current().epoch,
                              ", before a node's, which is ", newestShown.epoch)));
  }
  KJ_IF_MAYBE (why, whyCopy(application.candidate)) {
    sayRefused(member, why->cStr(), why->cStr());
    return Refused{kj::mv(*why)};
  }
  bool known = roster.find(member.incarnation) != nullptr || current().contains(member.incarnation);
  if (!known && roster.all().size() >= Roster::LIMIT) {
    return Refused{kj::str("this master knows as many nodes as it can: ", Roster::LIMIT)};
  }
  return nullptr;
}

Master::Registered Master::letIn(const Application& application, schema::NodeStatus::Reader status,
                                 schema::NodeControl::Client control) {
  auto& member = application.candidate.member;
  noteSuccessions(member);
  refusals.forget(member.name);
  copies.settle(member);
  start.answered(member.incarnation);
  Node node;
  node.candidate = application.candidate;
  node.session = ++lastSession;
  auto& entry = roster.insert(kj::mv(node));
  noteStatus(entry, status, application.skew);
  forgetPredecessors();
  suspicion.registered(member.incarnation, timer.now());
  announcer.add(member.incarnation, kj::mv(control), status.getEpoch());
  evaluateSoon();
  // The network remembers the result for when names do not resolve (base/remembering-network.h).
  tasks.add(kj::evalNow([&]() { return network.parseAddress(member.address.c_str()); })
                .ignoreResult()
                .catch_([](kj::Exception&&) {}));
  logInfo("node registered", {{"node", member.name},
                              {"address", member.address},
                              {"incarnation", member.incarnation},
                              {"member", current().contains(member.incarnation) ? "yes" : "no"}});
  return Registered{entry.session};
}

// Logs each reason once, as a node that is a member of its chain asks again and again.
void Master::sayRefused(const Member& member, const std::string& why, const std::string& about) {
  if (!refusals.note(member, why, about, timer.now())) return;
  logWarning("refused a node", {{"node", member.name}, {"reason", why}});
}

// A newly started process shows what has happened to the processes that it follows (R2).
void Master::noteSuccessions(const Member& newcomer) {
  supersede(newcomer);
  std::vector<std::uint64_t> replaced;
  for (auto& [incarnation, node]: roster.all()) {
    if (node.member().storeId == newcomer.storeId && incarnation != newcomer.incarnation) {
      replaced.push_back(incarnation);
    }
  }
  for (auto incarnation: replaced) {
    announcer.remove(incarnation);
    roster.find(incarnation)->session = 0;
    if (!current().contains(incarnation)) forget(incarnation);
  }
}

void Master::supersede(const Member& newcomer) {
  auto now = timer.now();
  for (auto& member: current().members) {
    switch (succession(member, newcomer.name, newcomer.incarnation, newcomer.storeId)) {
      case Succession::none:
        break;
      case Succession::sameStore:
        suspicion.superseded(member.incarnation, now);
        break;
      case Succession::sameName:
        // This alone proves nothing: that member may be well, and not have registered yet.
        suspicion.doubt(member.incarnation, "another process registered under its name", now);
        break;
    }
  }
}

const Member* Master::liveNamesake(const Member& newcomer) const {
  for (auto& [incarnation, node]: roster.all()) {
    auto& member = node.member();
    if (member.name == newcomer.name && incarnation != newcomer.incarnation &&
        member.storeId != newcomer.storeId && node.session != 0 &&
        suspicion.isHeard(incarnation, timer.now())) {
      return &member;
    }
  }
  return nullptr;
}

void Master::heartbeat(std::uint64_t incarnation, std::uint64_t session,
                       schema::NodeStatus::Reader status) {
  wake();
  auto* node = roster.find(incarnation);
  if (node == nullptr || node->session != session) {
    kj::throwFatalException(
        KJ_EXCEPTION(DISCONNECTED, "this registration is not in force any more", incarnation));
  }
  KJ_REQUIRE(status.getIncarnation() == incarnation, "a heartbeat speaks for another node",
             incarnation, status.getIncarnation());
  noteStatus(*node, status, skewOf(status.getWallClock(), clock.wall()));
  noteShown(node->member(), current().clusterId, status);
  suspicion.heard(incarnation, timer.now());
  links.heard(incarnation, timer.now());
  announcer.heard(incarnation, status.getEpoch());
  evaluateSoon();
}

void Master::noteStatus(Node& node, schema::NodeStatus::Reader status, std::int64_t skew) {
  node.status = capnp::clone(status);
  auto& candidate = node.candidate;
  // Who it is, and what it held at first, stays as it was when it registered.
  auto told = readCandidate(status);
  told.member = candidate.member;
  told.clusterId = candidate.clusterId;
  told.empty = candidate.empty;
  candidate = std::move(told);
  if (!status.getDiskHangs()) {
    node.diskHangsSince = nullptr;
  } else if (node.diskHangsSince == nullptr) {
    node.diskHangsSince = timer.now();
  }
  node.syncs = readPace(status.getSyncs());
  node.turns = readPace(status.getTurns());
  noteTold(candidate, status);
  node.skew = skew;
  warnOfSkew(node);
}

// A heartbeat that a link, or a pause of this process, has held up looks like a clock that lags, but
// those after it do not.
void Master::warnOfSkew(Node& node) {
  if (magnitude(node.skew) <= ALARMING_SKEW * kj::NANOSECONDS) {
    node.skewedSince = nullptr;
    node.warnedOfSkew = false;
    return;
  }
  if (node.skewedSince == nullptr) node.skewedSince = timer.now();
  bool lasts =
      !justWoke() && timer.now() - KJ_ASSERT_NONNULL(node.skewedSince) >= settings.suspectAfter;
  if (node.warnedOfSkew || (node.skew < 0 && !lasts)) return;
  node.warnedOfSkew = true;
  logWarning("the clock of a node is wrong: synchronize it with the master's (NTP)",
             {{"node", node.member().name}, {"ahead-ms", node.skew / 1'000'000}});
}

// Only reports from the epoch in force count.  A report from before a member joined, which may have
// cut its log (R9), may arrive late.
void Master::noteTold(const Candidate& candidate, schema::NodeStatus::Reader status) {
  auto* member = current().find(candidate.member.incarnation);
  if (member == nullptr || !member->serving) return;
  if (status.getEpoch() != current().epoch) return;
  auto& mine = told[member->incarnation];
  mine.durable = kj::max(mine.durable, status.getDurable());
  mine.commit = kj::max(mine.commit, status.getCommit());
  mine.unsynced = mine.unsynced || candidate.unsynced;
  bounds->heard(current(), candidate.bound);
}

void Master::report(std::uint64_t reporter, std::uint64_t epoch, std::uint64_t suspect,
                    kj::StringPtr reason) {
  wake();
  auto* by = current().find(reporter);
  if (epoch != current().epoch || by == nullptr || !current().contains(suspect) ||
      suspect == reporter) {
    return;  // It is about a chain that is not in force.
  }
  auto cause = "reported by " + by->name;
  if (reason.size() > 0) {
    cause += " (" + std::string(reason.begin(), kj::min(reason.size(), MAX_REASON)) + ")";
  }
  auto* tail = current().tail();
  auto* joiner = current().joiner();
  if (tail == by && joiner != nullptr && joiner->incarnation == suspect) {
    suspicion.reportedByTail(suspect, cause, timer.now());
  }
  suspicion.doubt(suspect, kj::mv(cause), timer.now());
  evaluateSoon();
}

void Master::gate(std::uint64_t reporter, std::uint64_t epoch, std::uint64_t joiner) {
  wake();
  auto decision = withJoined(current(), epoch, reporter, joiner);
  if (auto* unchanged = std::get_if<Unchanged>(&decision)) {
    logDebug("ignored a gate", {{"epoch", epoch}, {"reason", unchanged->why}});
    return;
  }
  gated = Gate{epoch, reporter, joiner};
  evaluateSoon();
}

void Master::dropped(std::uint64_t incarnation, std::uint64_t session) {
  // This is done later, as the connection may be in the middle of its own end.
  tasks.add(kj::evalLater([this, incarnation, session]() {
    wake();
    auto* node = roster.find(incarnation);
    if (node == nullptr || node->session != session) return;  // It has registered anew.
    logInfo("connection to a node has closed", {{"node", node->member().name}});
    node->session = 0;
    announcer.remove(incarnation);
    suspicion.dropped(incarnation, timer.now());
    prune();
    evaluateSoon();
  }));
}

void Master::forget(std::uint64_t incarnation) {
  announcer.remove(incarnation);
  suspicion.forget(incarnation);
  roster.erase(incarnation);
}

// Carries out an order.  A live process of that name stays: the order does not mean that one.
void Master::forgetNamed(const std::string& name) {
  refusals.forget(name);
  flapping.reset(name);
  std::vector<std::uint64_t> gone;
  for (auto& [incarnation, node]: roster.all()) {
    bool here = node.session != 0 && suspicion.isHeard(incarnation, timer.now());
    if (node.member().name != name || here || current().contains(incarnation)) continue;
    gone.push_back(incarnation);
  }
  for (auto incarnation: gone) forget(incarnation);
}

// Forgets the processes that are gone, are not members, and are followed by a connected one on the
// same data directory or under the same name.  No decision depends on them.
void Master::forgetPredecessors() {
  std::vector<std::uint64_t> over;
  for (auto& [incarnation, node]: roster.all()) {
    if (node.session != 0 || current().contains(incarnation)) continue;
    auto& old = node.member();
    bool followed = std::any_of(roster.all().begin(), roster.all().end(), [&](auto& each) {
      auto& other = each.second.member();
      return each.second.session != 0 && (other.storeId == old.storeId || other.name == old.name);
    });
    if (followed) over.push_back(incarnation);
  }
  for (auto incarnation: over) forget(incarnation);
}

// Forgets nodes on which no decision depends: of those that are gone, all but the last GONE_KEPT.
void Master::prune() {
  forgetPredecessors();
  std::vector<std::uint64_t> gone;
  for (auto& [incarnation, node]: roster.all()) {
    if (node.session == 0 && !current().contains(incarnation)) gone.push_back(incarnation);
  }
  if (gone.size() <= GONE_KEPT) return;
  std::sort(gone.begin(), gone.end(), [this](std::uint64_t left, std::uint64_t right) {
    return suspicion.lastHeard(left).orDefault(timer.now()) <
           suspicion.lastHeard(right).orDefault(timer.now());
  });
  gone.resize(gone.size() - GONE_KEPT);
  for (auto incarnation: gone) forget(incarnation);
}

std::vector<Master::KnownNode> Master::nodes() const {
  auto now = timer.now();
  auto known = [&](const Member& member) {
    std::int64_t lastHeard = -1;
    KJ_IF_MAYBE (heard, suspicion.lastHeard(member.incarnation)) {
      lastHeard = (now - *heard) / kj::NANOSECONDS;
    }
    auto* node = roster.find(member.incarnation);
    bool isMember = current().contains(member.incarnation);
    Standing standing{schema::NodeEntry::Standing::MEMBER, ""};
    if (!isMember && node != nullptr) standing = standingOf(*node);
    bool acts = isMember && announcer.newestEpochOf(member.incarnation) == current().epoch;
    return KnownNode{member, node, lastHeard, standing.standing, standing.note, acts};
  };
  std::vector<KnownNode> others;
  for (auto& [incarnation, node]: roster.all()) {
    if (!current().contains(incarnation)) others.push_back(known(node.member()));
  }
  std::vector<KnownNode> all;
  for (auto& member: current().members) all.push_back(known(member));
  auto members = static_cast<std::ptrdiff_t>(all.size());
  all.insert(all.end(), others.begin(), others.end());
  mergeRefusals(all);
  std::sort(all.begin() + members, all.end(), [](const KnownNode& left, const KnownNode& right) {
    return naturalLess(left.member.name, right.member.name);
  });
  return all;
}

// Adds the recent refusals to `all`.  A refusal becomes the note of its node if no process of that
// name is connected, else it gets a row of its own.
void Master::mergeRefusals(std::vector<KnownNode>& all) const {
  using Standing = schema::NodeEntry::Standing;
  for (auto& [name, refused]: refusals.all()) {
    // A node that runs has its clock checked again and again, so an old refusal does not hold.
    if (refused.about == CLOCK && timer.now() - refused.at > TRIES_AGAIN) continue;
    auto note = "refused: " + refused.why;
    auto found = std::find_if(all.begin(), all.end(), [&](const KnownNode& each) {
      bool gone = each.node == nullptr || each.node->session == 0;
      return gone && each.member.name == refused.member.name;
    });
    if (found == all.end()) {
      auto ago = (timer.now() - refused.at) / kj::NANOSECONDS;
      all.push_back({refused.member, nullptr, ago, Standing::REFUSED, note, false});
      continue;
    }
    found->note = note;
    if (found->standing != Standing::MEMBER) found->standing = Standing::REFUSED;
  }
}

// Returns the names of the serving members that are not heard; empty if all are heard.
std::string Master::unheardMembers() const {
  std::vector<std::string> names;
  for (auto& member: current().members) {
    bool heard = suspicion.isHeard(member.incarnation, timer.now());
    if (member.serving && !heard) names.push_back(member.name);
  }
  return listNames(names);
}

// The standing of a node that is not a member.
Master::Standing Master::standingOf(const Node& node) const {
  using Kind = schema::NodeEntry::Standing;
  auto newcomer = describe(node);
  auto why = whyNotEligible(current(), newcomer);
  if (!newcomer.heard) {
    if (newcomer.drained) return {Kind::DRAINED, "drained, and not heard any more"};
    return {Kind::GONE,
            why + "; if it is gone for good: `gavel chain forget " + node.member().name + "`"};
  }
  if (current().epoch == 0) return {Kind::WAITING, "waits for the chain to form"};
  KJ_IF_MAYBE (waiting, outage) {
    auto* unfit = waiting->findUnfit(node.member().incarnation);
    if (unfit != nullptr) {
      return {unfit->pending ? Kind::WAITING : Kind::UNFIT,
              "cannot be the source after the total outage: " + unfit->why};
    }
    if (waiting->isSource(node.member().incarnation)) {
      return {Kind::WAITING, "ready to go on: see the notice"};
    }
  }
  auto unhindered = newcomer;
  unhindered.drained = false;
  unhindered.wait = 0 * kj::SECONDS;
  if (!whyNotEligible(current(), unhindered).empty()) return {Kind::UNFIT, why};
  if (newcomer.drained) return {Kind::DRAINED, why};
  auto unheard = unheardMembers();
  if (!unheard.empty()) {
    return {Kind::WAITING, "waits until it is known whether " + unheard + " can go on"};
  }
  if (!why.empty()) return {Kind::WAITING, why};
  auto decision = join(current(), {newcomer}, settings.replicas);
  auto* unchanged = std::get_if<Unchanged>(&decision);
  if (unchanged == nullptr) return {Kind::WAITING, "about to join"};
  bool full = current().members.size() >= settings.replicas && !newcomer.wanted;
  return {full ? Kind::SPARE : Kind::WAITING, unchanged->why};
}

std::string Master::notice() const {
  std::string text;
  auto add = [&text](const std::string& sentence) {
    if (!sentence.empty()) text += (text.empty() ? "" : " ") + sentence;
  };
  if (standsBy()) return "another master leads: this one stands by for a moment.";
  add(noticeOfTrust());
  if (current().epoch == 0) {
    add(forming);
    return text;
  }
  if (current().isShort()) {
    add("no bids are taken: " + std::to_string(current().servingCount()) +
        " of the chain's members serve, and at least " + std::to_string(current().minMembers) +
        " have to (--min-members).");
  }
  KJ_IF_MAYBE (waiting, outage) {
    add(master::describe(current(), *waiting));
    KJ_IF_MAYBE (since, sourceSince) {
      auto left = kj::max(0 * kj::SECONDS, settings.outageWait - (timer.now() - *since));
      add(std::string("Goes on without those that are awaited in ") + formatDuration(left).cStr() +
          ".");
    }
  } else {
    if (!complaint.empty()) {
      add("members are lost, but the configuration has to stay: " + complaint + ".");
    }
    if (complaint.empty() && current().joiner() == nullptr &&
        current().members.size() < settings.replicas) {
      add("the chain has " + std::to_string(current().members.size()) + " of " +
          std::to_string(settings.replicas) + " members: start nodes that can join.");
    }
  }
  add(linkNotice());
  if (orders.replacement) {
    add("waits until " + orders.replacement->successor + " serves, to replace " +
        orders.replacement->old + " by it.");
  }
  if (!abandoned.empty()) add(abandoned + ".");
  return text;
}

std::vector<Relink> Master::relinks() const {
  auto relinks = ledger->document().relinks;
  timing.fill(relinks);
  return relinks;
}

}  // namespace gavel::master
