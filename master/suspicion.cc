#include "master/suspicion.h"

#include <utility>

#include "base/duration.h"

namespace gavel::master {
namespace {

// What a failed probe adds to the reason for the probe.
kj::StringPtr describe(ProbeResult result) {
  switch (result) {
    case ProbeResult::alive:
      return "then alive";
    case ProbeResult::refused:
      return "then refused";
    case ProbeResult::unreachable:
      return "then unreachable";
    case ProbeResult::other:
      return "then another process at its address";
    case ProbeResult::silent:
      return "then no answer";
    case ProbeResult::inconclusive:
      return "then nothing known";
  }
  KJ_UNREACHABLE;
}

}  // namespace

Suspicion::Suspicion(kj::Duration suspectAfter): suspectAfter(suspectAfter) {}

bool Suspicion::awake(kj::TimePoint now, std::int64_t sinceBoot) {
  // Five missed checks are well above what a busy machine does to a timer, and well below the
  // silence that nodes are allowed.
  std::int64_t limit = 5 * (checkEvery() / kj::NANOSECONDS);
  bool paused = false;
  KJ_IF_MAYBE (last, lastAwake) {
    paused = sinceBoot - *last > limit;
  }
  lastAwake = sinceBoot;
  if (!paused) return false;
  for (auto& [incarnation, node]: nodes) {
    node.grace = now;
    node.disturbed = node.probing != 0;
  }
  return true;
}

void Suspicion::expect(std::uint64_t incarnation, kj::TimePoint now) {
  nodes.emplace(incarnation, Node(Link::expected, now));
}

void Suspicion::registered(std::uint64_t incarnation, kj::TimePoint now) {
  auto& node = nodes.insert_or_assign(incarnation, Node(Link::connected, now)).first->second;
  node.heard = now;
}

void Suspicion::heard(std::uint64_t incarnation, kj::TimePoint now) {
  auto* node = find(incarnation);
  if (node == nullptr || node->link == Link::dropped) return;
  node->link = Link::connected;  // It may have been expected: see askAgain().
  node->heard = now;
  node->grace = now;
  if (!node->superseded) node->loss = nullptr;
}

void Suspicion::dropped(std::uint64_t incarnation, kj::TimePoint now) {
  auto* node = find(incarnation);
  if (node == nullptr || node->superseded) return;
  node->link = Link::dropped;
  node->grace = now;
  node->nextProbe = now;  // At once, whenever the last probe was.
  node->doubt = "connection closed";
  node->doubtedSince = now;
}

void Suspicion::doubt(std::uint64_t incarnation, std::string why, kj::TimePoint now) {
  auto* node = find(incarnation);
  if (node == nullptr || node->loss != nullptr || node->probing != 0 ||
      node->nextProbe != nullptr) {
    return;
  }
  wantProbe(*node, std::move(why), now, now);
}

void Suspicion::askAgain(std::uint64_t incarnation, kj::TimePoint now) {
  auto* node = find(incarnation);
  if (node == nullptr || node->loss == nullptr || node->superseded || node->probing != 0) return;
  KJ_IF_MAYBE (last, node->lastProbe) {
    if (now - *last < suspectAfter) return;
  }
  node->nextProbe = now;
}

void Suspicion::reportedByTail(std::uint64_t incarnation, std::string why, kj::TimePoint now) {
  auto* node = find(incarnation);
  if (node == nullptr) return;
  // Reports come every second while the fault lasts.
  auto pause = 3 * kj::max(suspectAfter, kj::Duration(1 * kj::SECONDS));
  bool goesOn =
      node->lastReport.map([&](auto last) { return now - last <= pause; }).orDefault(false);
  if (!goesOn) node->reportedSince = now;
  node->lastReport = now;
  KJ_IF_MAYBE (since, node->reportedSince) {
    if (node->loss == nullptr && now - *since >= patience()) {
      lose(*node, why + ", for " + formatDuration(now - *since).cStr(), *since);
    }
  }
}

void Suspicion::forgetReports() {
  for (auto& [incarnation, node]: nodes) {
    node.reportedSince = nullptr;
    node.lastReport = nullptr;
  }
}

void Suspicion::superseded(std::uint64_t incarnation, kj::TimePoint now) {
  auto* node = find(incarnation);
  if (node == nullptr || node->superseded) return;
  node->superseded = true;
  node->probing = 0;  // A probe under way began before this.
  node->nextProbe = now;
  if (node->loss == nullptr) node->loss = Loss{"restarted", now};
}

void Suspicion::retain(const std::set<std::uint64_t>& known) {
  std::erase_if(nodes, [&](auto& each) { return known.count(each.first) == 0; });
}

void Suspicion::check(kj::TimePoint now) {
  for (auto& [incarnation, node]: nodes) {
    if (node.superseded) {
      if (!node.ended && node.probing == 0 && node.nextProbe == nullptr) node.nextProbe = now;
    } else {
      checkSilence(node, now);
    }
  }
}

void Suspicion::checkSilence(Node& node, kj::TimePoint now) {
  if (node.loss != nullptr) return;
  bool silent = now - node.grace >= suspectAfter;
  switch (node.link) {
    case Link::connected:
      if (silent) lose(node, kj::str("silent for ", formatDuration(suspectAfter)).cStr(), now);
      break;
    case Link::dropped:
      if (silent) {
        lose(node, "connection closed, then not registered again", now);
      } else if (node.probing == 0 && node.nextProbe == nullptr) {
        // It has answered a probe, but may be about to end.
        wantProbe(node, node.doubt, node.doubtedSince, now);
      }
      break;
    case Link::expected:
      if (silent && node.probing == 0 && node.nextProbe == nullptr) {
        wantProbe(node, "not registered with this master", now, now);
      }
      break;
  }
}

// A probe under way began before the loss, so that its answer counts for nothing.
void Suspicion::lose(Node& node, std::string cause, kj::TimePoint since) {
  node.loss = Loss{std::move(cause), since};
  node.probing = 0;
  node.nextProbe = nullptr;
}

// Probes of one node are apart by checkEvery() at least, as reports may come at any rate.
void Suspicion::wantProbe(Node& node, std::string why, kj::TimePoint since, kj::TimePoint now) {
  node.doubt = std::move(why);
  node.doubtedSince = since;
  node.nextProbe = now;
  KJ_IF_MAYBE (last, node.lastProbe) {
    node.nextProbe = kj::max(now, *last + checkEvery());
  }
}

std::vector<Suspicion::Probe> Suspicion::takeProbes(kj::TimePoint now) {
  std::vector<Probe> due;
  for (auto& [incarnation, node]: nodes) {
    KJ_IF_MAYBE (next, node.nextProbe) {
      if (node.probing != 0 || *next > now) continue;
      node.nextProbe = nullptr;
      node.lastProbe = now;
      node.probing = ++lastProbeId;
      node.disturbed = false;
      due.push_back(Probe{incarnation, node.probing});
    }
  }
  return due;
}

void Suspicion::probed(const Probe& probe, ProbeResult result, kj::TimePoint now) {
  auto* node = find(probe.incarnation);
  // A node that has registered meanwhile starts afresh: the answer is about the time before.
  if (node == nullptr || node->probing != probe.id) return;
  node->probing = 0;
  if (node->superseded) {
    if (result == ProbeResult::inconclusive) return;
    node->answersStill = result == ProbeResult::alive;
    node->ended = !node->answersStill && !node->disturbed;
    return;
  }
  if (node->loss != nullptr) {
    // An answer that waited while this process was paused says nothing of now.
    if (result != ProbeResult::alive || node->disturbed) return;
    node->link = Link::expected;
    node->heard = now;
    node->grace = now;
    node->loss = nullptr;
    return;
  }
  switch (result) {
    case ProbeResult::alive:
      node->heard = now;
      // An expected node only has to answer.  A dropped one has to register again, and a connected
      // one has to send heartbeats, even if it answers.
      if (node->link == Link::expected) node->grace = now;
      return;
    case ProbeResult::inconclusive:
      return;
    case ProbeResult::unreachable:
      // Its name does not resolve, say.  As long as it speaks to us, that proves nothing about it.
      if (node->link == Link::connected) return;
      break;
    case ProbeResult::silent:
      if (node->disturbed) {
        // The deadline may have passed while this process was paused, with the answer in its
        // socket.
        wantProbe(*node, node->doubt, node->doubtedSince, now);
        return;
      }
      KJ_IF_MAYBE (heard, node->heard) {
        // It speaks to us on its own connection, so it can be reached (case 3 in suspicion.h).
        KJ_IF_MAYBE (asked, node->lastProbe) {
          if (*heard > *asked) return;
        }
      }
      break;
    case ProbeResult::refused:
    case ProbeResult::other:
      break;
  }
  lose(*node, node->doubt + ", " + describe(result).cStr(), node->doubtedSince);
}

kj::Maybe<const Suspicion::Loss&> Suspicion::lost(std::uint64_t incarnation) const {
  auto* node = find(incarnation);
  if (node == nullptr) return nullptr;
  return node->loss.map([](const Loss& loss) -> const Loss& { return loss; });
}

bool Suspicion::ended(std::uint64_t incarnation) const {
  auto* node = find(incarnation);
  return node != nullptr && node->ended;
}

bool Suspicion::answersStill(std::uint64_t incarnation) const {
  auto* node = find(incarnation);
  return node != nullptr && node->answersStill;
}

bool Suspicion::inDoubt(std::uint64_t incarnation) const {
  auto* node = find(incarnation);
  return node != nullptr && node->probing != 0 && !node->superseded;
}

bool Suspicion::isExpected(std::uint64_t incarnation) const {
  auto* node = find(incarnation);
  return node != nullptr && node->link == Link::expected && node->loss == nullptr;
}

bool Suspicion::isHeard(std::uint64_t incarnation, kj::TimePoint now) const {
  auto* node = find(incarnation);
  if (node == nullptr || node->loss != nullptr) return false;
  KJ_IF_MAYBE (heard, node->heard) {
    return now - *heard < suspectAfter;
  }
  return false;
}

kj::Maybe<kj::TimePoint> Suspicion::lastHeard(std::uint64_t incarnation) const {
  auto* node = find(incarnation);
  return node == nullptr ? nullptr : node->heard;
}

Suspicion::Node* Suspicion::find(std::uint64_t incarnation) {
  auto found = nodes.find(incarnation);
  return found == nodes.end() ? nullptr : &found->second;
}

const Suspicion::Node* Suspicion::find(std::uint64_t incarnation) const {
  auto found = nodes.find(incarnation);
  return found == nodes.end() ? nullptr : &found->second;
}

}  // namespace gavel::master
