#include <algorithm>
#include <utility>

#include "base/duration.h"
#include "base/logging.h"
#include "base/planted.h"
#include "master/master.h"

// Links between members that do not work (R6): what members report, and what the master does.
namespace gavel::master {

void Master::link(const LinkReport& report) {
  wake();
  if (!links.report(report, current(), timer.now())) return;
  auto* reporter = current().find(report.reporter);
  auto* peer = current().find(report.peer);
  bool works = report.state == LinkReport::State::works;
  logWarning(
      works ? "a member says that a link works again" : "a member says that a link does not work",
      {{"epoch", report.epoch},
       {"member", reporter->name},
       {"neighbour", peer->name},
       {"cause", report.state == LinkReport::State::processSlow ? "no answer" : "path"},
       {"for", formatDuration(report.lasting)}});
  evaluateSoon();
}

std::set<std::uint64_t> Master::lostMembers() const {
  std::set<std::uint64_t> lost;
  for (auto& member: current().members) {
    if (suspicion.lost(member.incarnation) != nullptr) lost.insert(member.incarnation);
  }
  return lost;
}

// Called before each decision.
void Master::noteLinks() {
  auto now = timer.now();
  links.prune(current(), lostMembers(), now);
  for (auto incarnation: links.toProbe(now)) {
    suspicion.doubt(incarnation, "its link to a neighbour does not work", now);
  }
  for (auto& link: links.links()) {
    if (!links.isConfirmed(link, now)) continue;
    auto* a = current().find(link.a);
    auto* b = current().find(link.b);
    if (a == nullptr || b == nullptr) continue;
    if (deadPairs.found(a->name, b->name, link.cause, link.since, now)) {
      logWarning("two members cannot talk to each other, though both are heard",
                 {{"a", a->name}, {"b", b->name}, {"cause", link.cause}});
    }
  }
  std::set<DeadPairs::Pair> linked;
  for (std::size_t i = 0; i + 1 < current().members.size(); ++i) {
    auto& a = current().members[i];
    auto& b = current().members[i + 1];
    if (actsNow(a) && actsNow(b) && !links.isReported(a.incarnation, b.incarnation)) {
      linked.insert(DeadPairs::pairOf(a.name, b.name));
    }
  }
  deadPairs.linked(linked, now);
}

// Whether the member is heard, and is in the epoch in force.
bool Master::actsNow(const Member& member) const {
  auto* node = roster.find(member.incarnation);
  return node != nullptr && node->session != 0 &&
         suspicion.isHeard(member.incarnation, timer.now()) &&
         node->status->getEpoch() == current().epoch;
}

// Whether a live tail cannot talk to its joiner: then its gate does not count.
bool Master::gateIsOverDeadPair() const {
  auto* tail = current().tail();
  auto* joiner = current().joiner();
  if (tail == nullptr || joiner == nullptr || planted(Bug::gateOverDeadPair)) return false;
  return links.isReported(tail->incarnation, joiner->incarnation) &&
         suspicion.lost(tail->incarnation) == nullptr;
}

bool Master::considerLinks() {
  auto now = timer.now();
  bool serving = false;
  bool joining = false;
  for (auto& link: links.links()) {
    if (!links.isConfirmed(link, now)) continue;
    auto* joiner = current().joiner();
    bool withJoiner =
        joiner != nullptr && (link.a == joiner->incarnation || link.b == joiner->incarnation);
    serving = serving || !withJoiner;
    joining = joining || (withJoiner && link.gating);
  }
  if (!serving && !joining) return false;
  std::set<std::uint64_t> heard;
  for (auto& member: current().members) {
    if (suspicion.isHeard(member.incarnation, now)) heard.insert(member.incarnation);
  }
  auto decision =
      serving ? withoutDeadPairs(current(), deadPairs, heard, now) : withoutJoiner(current());
  auto* next = std::get_if<Configuration>(&decision);
  if (next == nullptr) return false;
  if (serving) {
    bool several = current().members.size() - next->members.size() > 1;
    auto again = 2 * settings.suspectAfter;
    KJ_IF_MAYBE (last, lastTakenApart) {
      if (!several && now - *last < again) {
        evaluateAt(*last + again);
        return false;
      }
    }
    lastTakenApart = now;
  }
  logWarning("taking members apart that cannot talk to each other",
             {{"epoch", next->epoch}, {"cause", next->cause}});
  put(std::move(*next), now);
  return true;
}

std::string Master::whyNotAfterTail(const std::string& name) const {
  auto* tail = current().tail();
  if (tail == nullptr || !deadPairs.areDead(tail->name, name, timer.now())) return "";
  auto& record = deadPairs.all().at(DeadPairs::pairOf(tail->name, name));
  return "it cannot talk to " + tail->name + ", after which it would join: " + record.cause +
         ", since " + formatDuration(timer.now() - record.since).cStr() + "; tried again in " +
         formatDuration(DeadPairs::wait(record, timer.now())).cStr();
}

std::vector<Master::BrokenLink> Master::brokenLinks() const {
  auto now = timer.now();
  std::vector<BrokenLink> all;
  for (auto& link: links.links()) {
    auto* a = current().find(link.a);
    auto* b = current().find(link.b);
    if (a == nullptr || b == nullptr || deadPairs.areDead(a->name, b->name, now)) continue;
    all.push_back({a->name, b->name, now - link.since, link.cause, false, 0 * kj::SECONDS});
  }
  for (auto& [pair, record]: deadPairs.all()) {
    all.push_back({pair.first, pair.second, now - record.since, record.cause, true,
                   DeadPairs::wait(record, now)});
  }
  return all;
}

// Describes the broken links that matter now: those of neighbours, and dead pairs while the chain
// is short.
std::string Master::linkNotice() const {
  bool isShort = current().servingCount() < settings.replicas;
  std::string text;
  for (auto& link: brokenLinks()) {
    if (link.dead && !isShort) continue;
    text += (text.empty() ? "" : " ") + link.a + " and " + link.b +
            " cannot talk to each other since " + formatDuration(link.lasting).cStr() + " (" +
            link.cause + "): look at the network between them.";
  }
  return text;
}

}  // namespace gavel::master
