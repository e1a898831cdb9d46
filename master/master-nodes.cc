#include <algorithm>
#include <utility>

#include <kj/debug.h>

#include "base/duration.h"
#include "base/logging.h"
#include "master/master.h"

namespace gavel::master {
namespace {

constexpr std::int64_t ALARMING_SKEW = 500'000'000;  // R15
// How many nodes that are neither members nor connected are remembered, for the operator.
constexpr std::size_t GONE_KEPT = 32;
constexpr std::size_t MAX_REASON = 200;

}  // namespace

std::variant<Master::Registered, Master::Refused> Master::registerNode(
    const Application& application, schema::NodeStatus::Reader status,
    schema::NodeControl::Client control) {
  wake();
  auto& member = application.candidate.member;
  if (standsBy()) {
    kj::throwFatalException(
        KJ_EXCEPTION(OVERLOADED, "this master stands by, as another one leads: ask that one"));
  }
  if (justWoke() && application.skew < 0 && magnitude(application.skew) > settings.maxSkew) {
    // Its clock may be right, and its message old: it must not be refused for good.
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "this master was paused: try again"));
  }
  if (current().epoch == 0) noteForeign(application.candidate);
  kj::Maybe<StoreRecord> newest;
  if (auto* record = ledger->document().findStore(member.storeId)) newest = *record;
  KJ_IF_MAYBE (why, whyRefused(application, current(), liveNamesake(member), newest, bound(),
                               settings.maxSkew)) {
    sayRefused(member, why->cStr());
    return Refused{kj::mv(*why)};
  }
  noteShown(member, current().clusterId, status.getEpoch());
  if (isAhead()) {
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "this master's store is behind a node's epoch",
                                         newestShown.epoch, current().epoch));
  }
  KJ_IF_MAYBE (why, whyCopy(application.candidate)) {
    sayRefused(member, why->cStr());
    return Refused{kj::mv(*why)};
  }
  bool known = roster.find(member.incarnation) != nullptr || current().contains(member.incarnation);
  if (!known && roster.all().size() >= Roster::LIMIT) {
    return Refused{kj::str("this master knows as many nodes as it can: ", Roster::LIMIT)};
  }

  noteSuccessions(member);
  copies.settle(member);
  start.answered(member.incarnation);
  Node node;
  node.candidate = application.candidate;
  node.session = ++lastSession;
  auto& entry = roster.insert(kj::mv(node));
  noteStatus(entry, status);
  suspicion.registered(member.incarnation, timer.now());
  announcer.add(member.incarnation, kj::mv(control), status.getEpoch());
  evaluateSoon();
  logInfo("node registered", {{"node", member.name},
                              {"address", member.address},
                              {"incarnation", member.incarnation},
                              {"member", current().contains(member.incarnation) ? "yes" : "no"}});
  return Registered{entry.session};
}

// A node that is a member of its chain asks again and again: one line for each reason.
void Master::sayRefused(const Member& member, const std::string& why) {
  if (refusals.size() >= Roster::LIMIT) refusals.clear();
  auto& said = refusals[member.incarnation];
  if (said == why) return;
  said = why;
  logWarning("refused a node", {{"node", member.name}, {"reason", why}});
}

// A newly started process tells what has become of those it follows (R2).
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
        // Not proof by itself: that member may be well, and just not have registered yet.
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
  noteStatus(*node, status);
  noteShown(node->member(), current().clusterId, status.getEpoch());
  suspicion.heard(incarnation, timer.now());
  announcer.heard(incarnation, status.getEpoch());
  evaluateSoon();
}

void Master::noteStatus(Node& node, schema::NodeStatus::Reader status) {
  node.status = capnp::clone(status);
  auto& candidate = node.candidate;
  candidate.generation = status.getGeneration();
  candidate.last = status.getLast();
  candidate.end = readPosition(status.getEnd());
  candidate.bound = readBound(status.getBound());
  candidate.stored = status.getDurable() >= status.getLast();
  auto damage = status.getDamage();
  candidate.damage = std::string(damage.begin(), kj::min(damage.size(), MAX_REASON));
  candidate.unsynced = status.getUnsynced();
  noteTold(candidate, status);
  node.skew = skewOf(status.getWallClock(), clock.wall());
  bool skewed =
      magnitude(node.skew) > ALARMING_SKEW * kj::NANOSECONDS && !(node.skew < 0 && justWoke());
  if (skewed && !node.skewed) {
    logWarning("the clock of a node is wrong: synchronize it with the master's (NTP)",
               {{"node", node.member().name}, {"ahead-ms", node.skew / 1'000'000}});
  }
  node.skewed = skewed;
}

// Only from the epoch in force: what a member said before it was cut to size by joining (R9) is of
// no account, and may come in late.
void Master::noteTold(const Candidate& candidate, schema::NodeStatus::Reader status) {
  auto* member = current().find(candidate.member.incarnation);
  if (member == nullptr || member->state != MemberState::serving) return;
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
    return;  // About a chain that is no more.
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
  // Not right here: this may be the middle of the connection's own end.
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

// Forgets the nodes that nothing is decided by: of those that are gone, all but the last few.
void Master::prune() {
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
    bool outside = node != nullptr && !current().contains(member.incarnation);
    return KnownNode{member, node, lastHeard, outside ? noteOn(*node) : ""};
  };
  std::vector<KnownNode> others;
  for (auto& [incarnation, node]: roster.all()) {
    if (!current().contains(incarnation)) others.push_back(known(node.member()));
  }
  std::sort(others.begin(), others.end(), [](const KnownNode& left, const KnownNode& right) {
    return naturalLess(left.member.name, right.member.name);
  });
  std::vector<KnownNode> all;
  for (auto& member: current().members) all.push_back(known(member));
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

// Why a node is no member.
std::string Master::noteOn(const Node& node) const {
  if (current().epoch == 0) return "waits for the chain to form";
  auto newcomer = describe(node);
  if (newcomer.heard) {
    KJ_IF_MAYBE (waiting, outage) {
      auto* unfit = waiting->findUnfit(node.member().incarnation);
      if (unfit != nullptr) return "cannot be the source after the total outage: " + unfit->why;
      if (waiting->isSource(node.member().incarnation)) return "ready to go on: see the notice";
    }
  }
  auto why = whyNotEligible(current(), newcomer);
  if (!why.empty()) return why;
  auto decision = join(current(), {newcomer}, settings.replicas);
  if (auto* unchanged = std::get_if<Unchanged>(&decision)) return unchanged->why;
  return "about to join";
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
