#include <algorithm>
#include <utility>

#include <kj/debug.h>

#include "base/duration.h"
#include "base/logging.h"
#include "master/master.h"
#include "master/probe.h"

// Which stores and which processes a master may go by (R11).  Its own store may be an older copy,
// or an empty one in the place of another, and a process may run on a copy of a data directory.
namespace gavel::master {

// -- this master's own store

bool Master::mayDecide() {
  if (isAhead()) {
    // Usually that epoch is another master's, and this one is about to read it.  Otherwise this
    // store is an old copy, and going on from it would make epochs twice.
    bool lasts = timer.now() - newestShown.since > settings.suspectAfter;
    if (lasts && !newestShown.said) {
      newestShown.said = true;
      logError(
          "a node acts in an epoch that this master's store does not hold: an old copy of it?",
          {{"node", newestShown.who}, {"epoch", newestShown.epoch}, {"stored", current().epoch}});
    }
    refuseOrders(noticeOfTrust());
    return false;
  }
  if (auto* member = memberWithPromise()) {
    // That member would adopt nothing that this master decides.
    if (saidPromised != member->promised) {
      logWarning("a member has promised a master that is being rebuilt to adopt nothing else",
                 {{"node", member->member.name},
                  {"promised", member->promised},
                  {"epoch", current().epoch}});
    }
    saidPromised = member->promised;
    refuseOrders(noticeOfTrust());
    return false;
  }
  if (start.over(timer.now())) return true;
  askMembers();
  if (current().epoch == 0) forming = "waits a moment for nodes that belong to a cluster";
  return false;
}

// Asks at the members' addresses.  Whatever answers there reports the epoch that it knows.
void Master::askMembers() {
  for (auto& member: start.takeQuestions()) {
    kj::Function<void(schema::NodeStatus::Reader)> told = [this](auto status) {
      Member who{std::string(status.getName().cStr()), std::string(status.getAddress().cStr()), 0,
                 0};
      noteShown(who, status.getClusterId(), status);
    };
    auto answer = probe(network, timer, member.address.c_str(), member.incarnation,
                        suspicion.probeTimeout(), kj::mv(told));
    tasks.add(answer.then([this, incarnation = member.incarnation](ProbeResult result) {
      switch (result) {
        case ProbeResult::alive:
        case ProbeResult::other:
        case ProbeResult::refused:
          start.answered(incarnation);
          evaluateSoon();
          return;
        case ProbeResult::unreachable:
        case ProbeResult::silent:
        case ProbeResult::inconclusive:
          // It is asked again with the next tick.
          start.silent(incarnation);
          return;
      }
    }));
  }
  if (current().epoch == 0) return;
  logDebug("waiting for the members of the stored configuration", {{"awaited", start.describe()}});
}

void Master::noteShown(const Member& member, std::uint64_t clusterId,
                       schema::NodeStatus::Reader status) {
  auto epoch = status.getEpoch();
  if (clusterId != current().clusterId || epoch <= current().epoch || epoch <= newestShown.epoch) {
    return;
  }
  newestShown = {epoch, status.getReign(), member.name + " (" + member.address + ")", timer.now(),
                 false};
}

void Master::noteForeign(const Candidate& candidate) {
  if (candidate.clusterId == 0) return;
  auto& member = candidate.member;
  foreign = std::string("node ") + member.name + " at " + member.address + " belongs to cluster " +
            kj::str(kj::hex(candidate.clusterId)).cStr() +
            ", and this master has no data: no chain is formed, or there would be two.  Start it "
            "with the data directory of that cluster's master; if that is lost, make it anew with "
            "gavel-master --rebuild.  To form another chain, stop that "
            "node, or give it another master, and start this master again.";
}

// Returns a member of the configuration in force that adopts nothing from this master, because it
// has promised another one that is being rebuilt (R3); null if there is none.
const Candidate* Master::memberWithPromise() const {
  for (auto& [incarnation, node]: roster.all()) {
    if (node.session == 0 || node.candidate.promised <= current().epoch) continue;
    auto& members = current().members;
    bool isMember = std::any_of(members.begin(), members.end(), [&](const Member& member) {
      return member.storeId == node.member().storeId;
    });
    if (isMember) return &node.candidate;
  }
  return nullptr;
}

std::string Master::noticeOfTrust() const {
  if (isAhead() && newestShown.reign != current().reign) {
    return "nothing is decided: node " + newestShown.who + " acts in epoch " +
           std::to_string(newestShown.epoch) + " of reign " +
           kj::str(kj::hex(newestShown.reign)).cStr() + ", and this master is of reign " +
           kj::str(kj::hex(current().reign)).cStr() +
           ": the master's store was made anew (gavel-master --rebuild), and that one leads the "
           "chain.  Stop this master, and do not start it again.";
  }
  if (isAhead()) {
    return "nothing is decided: node " + newestShown.who + " acts in epoch " +
           std::to_string(newestShown.epoch) + ", and this master's store holds only epoch " +
           std::to_string(current().epoch) +
           ": it is an older copy.  The chain serves on, but nothing can be re-linked.  Stop this "
           "master, and start it on the data directory that it ran with last.";
  }
  if (auto* member = memberWithPromise()) {
    return "nothing is decided: " + member->member.name +
           " has promised a master that is being rebuilt to adopt nothing below epoch " +
           std::to_string(member->promised) + ", and this one is in epoch " +
           std::to_string(current().epoch) +
           ".  The chain serves on, but nothing can be re-linked.  Run gavel-master --rebuild "
           "again, to its end, and stop this master.";
  }
  if (current().epoch != 0 && !start.describe().empty() && timer.now() < start.end()) {
    return "has just started, and decides nothing before it has heard " + start.describe() +
           ", or " + formatDuration(start.end() - timer.now()).cStr() + " have passed.";
  }
  std::string text;
  for (auto* claim: copies.all(timer.now())) {
    for (auto& holder: holdersOf(claim->candidate)) {
      // A holder that was not heard since may have ended: a probe will show it.
      if (!livesSince(holder.member.incarnation, claim->since)) continue;
      text += (text.empty() ? "" : "  ") + describeCopies(holder, claim->candidate, bound()) + ".";
    }
  }
  return text;
}

void Master::refuseOrders(const std::string& why) {
  while (!waiting.empty()) {
    waiting.front().answer->fulfill(Answer{true, why});
    waiting.pop_front();
  }
}

// -- copies of data directories

// Returns the other processes that have its data directory and are not known to have ended.
std::vector<Candidate> Master::holdersOf(const Candidate& candidate) const {
  auto storeId = candidate.member.storeId;
  auto runs = [&](const Member& member) {
    return member.storeId == storeId && member.incarnation != candidate.member.incarnation &&
           suspicion.lost(member.incarnation) == nullptr && !suspicion.ended(member.incarnation);
  };
  std::vector<Candidate> found;
  for (auto& [incarnation, node]: roster.all()) {
    bool counts = node.session != 0 || current().contains(incarnation);
    if (counts && runs(node.member())) found.push_back(node.candidate);
  }
  for (auto& member: current().members) {
    if (roster.find(member.incarnation) != nullptr || !runs(member)) continue;
    found.emplace_back().member = member;
  }
  return found;
}

bool Master::livesSince(std::uint64_t incarnation, kj::TimePoint since) const {
  KJ_IF_MAYBE (heard, suspicion.lastHeard(incarnation)) {
    return *heard > since;
  }
  return false;
}

// If two live processes have one data directory, one runs on a copy of the other's, and neither may
// shut the other out.  Returns why `candidate` is refused; null if there is no other process.
// Throws OVERLOADED while it is unknown whether the other one lives.
kj::Maybe<kj::String> Master::whyCopy(const Candidate& candidate) {
  auto holders = holdersOf(candidate);
  if (holders.empty()) return nullptr;
  auto now = timer.now();
  auto since = copies.ask(candidate, now).since;
  for (auto& holder: holders) {
    auto incarnation = holder.member.incarnation;
    bool lives = livesSince(incarnation, since);
    auto words = describeCopies(holder, candidate, bound());
    if (lives && candidate.clusterId != 0) return kj::str(words.c_str());
    // It was not heard since, or the claimant has no cluster: a probe of its address decides.
    suspicion.doubt(incarnation, "restarted", now);
    evaluateSoon();
    kj::throwFatalException(kj::Exception(
        kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
        kj::str("try again in a moment", lives ? ": " : "", lives ? words.c_str() : "")));
  }
  return nullptr;
}

// Describes another process that asks for the node's data directory; empty: there is none.
std::string Master::copyOf(const Node& node) const {
  auto* claim = copies.against(node.member(), timer.now());
  return claim == nullptr ? "" : describeCopies(node.candidate, claim->candidate, bound());
}

}  // namespace gavel::master
