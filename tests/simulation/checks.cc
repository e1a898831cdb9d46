#include "tests/simulation/checks.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>

#include "tests/master/validate.h"

namespace gavel::simulation {
namespace {

// The state is compared at one index in so many, since it takes time.
constexpr std::uint64_t HASHED = 8;
// Nodes wait so long for a master to take them (node/master-session.cc).
constexpr auto LONGEST_REGISTRATION = 2 * kj::SECONDS;

// Whether the remaining log has a batch that ends there.  Null if it begins later.
std::optional<bool> holds(const MemoryStore& store, const Position& position) {
  auto start = store.logStart();
  if (position.index < start.index) return std::nullopt;
  if (position.index == start.index) return position == start;
  auto& log = store.batches();
  auto found = std::lower_bound(
      log.begin(), log.end(), position.index,
      [](const BatchPtr& batch, std::uint64_t index) { return batch->lastIndex() < index; });
  return found != log.end() && (*found)->end() == position;
}

bool holdsDurably(const MemoryStore& store, const Position& position) {
  return store.durableEnd().index >= position.index && holds(store, position) != false;
}

std::string text(const Position& position) {
  return fmt::format("{}/{}/{:x}", position.epoch, position.index, position.checksum);
}

bool same(const Configuration& a, const Configuration& b) {
  return a.clusterId == b.clusterId && a.epoch == b.epoch &&
         std::equal(a.members.begin(), a.members.end(), b.members.begin(), b.members.end(),
                    [](auto& x, auto& y) {
                      return x.incarnation == y.incarnation && x.storeId == y.storeId &&
                             x.serving == (y.serving);
                    });
}

}  // namespace

Checks::Checks(Cluster& cluster): cluster(cluster) {
  stored[0] = {};
}

void Checks::fail(std::string text) {
  if (!failure_.empty()) return;
  failure_ = std::move(text);
  cluster.engine.note("FAILURE: " + failure_);
}

void Checks::turned(Process& process) {
  auto* machine = cluster.nodeOf(process);
  if (machine == nullptr || machine->node() == nullptr) return;
  for (auto& master: cluster.masters) {
    mastersAhead = std::max(mastersAhead, master->wallOffset);
    mastersBefore = std::max(mastersBefore, -master->wallOffset);
  }
  auto& replica = machine->node()->replica();
  auto& known = seen[process.id()];
  known.incarnation = replica.incarnation();
  auto role = replica.role();
  bool serving = role != Role::waiting && role != Role::syncing;

  bool newEpoch = replica.newest().epoch != known.epoch;
  if (newEpoch) {
    if (replica.newest().epoch < known.epoch) {
      fail(fmt::format("{} went back from epoch {} to {}", machine->name(), known.epoch,
                       replica.newest().epoch));
    }
    checkEpoch(machine->name(), replica.newest());
    known.epoch = replica.newest().epoch;
  }
  auto commit = replica.commit();
  if (serving && overdue.count(replica.newest().epoch) > 0) {
    fail(fmt::format("{} serves in epoch {}, of a master that was lost and made anew",
                     machine->name(), replica.newest().epoch));
  }
  if (serving) {
    if (commit < known.servingCommit) {
      fail(fmt::format("{} went back from commit index {} to {}", machine->name(),
                       known.servingCommit, commit));
    }
    known.servingCommit = commit;
  }
  // What it takes for committed may have been given up since.  It may not know that yet, or may
  // still have to drop it.
  auto& newest = replica.newest();
  bool stale =
      newest.restartedIn < cluster.configStore.current().restartedIn ||
      (newest.restartedIn != 0 && !machine->node()->replica().bound().counts(newest.restartedIn));
  if (!stale && commit > known.commit) checkCommit(*machine, known.commit, commit);
  if (!stale || commit < known.commit) known.commit = commit;
  if (serving && (newEpoch || !known.acting || !(replica.logEnd() == known.end))) {
    checkPrefix(*machine, replica);
  }
  if (isHead(role) && !(replica.logEnd() == known.end)) checkStamp(*machine, replica, known);
  if (isHead(role) && replica.assured() > known.assured) checkAssured(*machine, replica);
  known.assured = replica.assured();
  auto bound = machine->node()->replica().bound();
  if (!(bound == known.bound)) checkBound(*machine, bound);
  known.bound = bound;
  known.acting = serving;
  known.end = replica.logEnd();
  checkHash(*machine, replica, known);
}

void Checks::ended(Process& process, bool clocksOff) {
  if (auto known = seen.find(process.id()); known != seen.end()) {
    gone[known->second.incarnation] = cluster.engine.now();
  }
  seen.erase(process.id());
  if (process.lastWords().empty()) return;
  auto* machine = cluster.nodeOf(process);
  if (machine != nullptr && machine->disk().explains(process.lastWords())) return;
  // A node that belongs to no cluster and is refused by its master ends, for the operator.
  if (machine != nullptr && process.lastWords().find("refuses this node") != std::string::npos) {
    ++counts["refused"];
    return;
  }
  // Of two masters that were started with --rebuild, the other one was first.
  if (process.lastWords().find("holds a configuration already") != std::string::npos) {
    ++counts["rebuilds refused"];
    return;
  }
  fail(fmt::format("{} died without a reason: {}", process.name(), process.lastWords()));
}

// The world may have changed a moment ago: answers and messages may be from before that.
void Checks::takingApart() {
  constexpr auto ANSWERED = 600 * kj::MILLISECONDS;
  constexpr auto FLAPPED = 15 * kj::SECONDS;
  ++counts["links taken apart"];
  auto now = cluster.engine.now();
  for (auto& machine: cluster.masters) {
    if (machine->master() == nullptr || &machine->process() != cluster.engine.current()) continue;
    auto& members = machine->master()->current().members;
    for (auto& link: machine->master()->linkReports().links()) {
      std::vector<NodeMachine*> ends;
      for (auto& member: members) {
        if (member.incarnation != link.a && member.incarnation != link.b) continue;
        ends.push_back(cluster.nodeWithStore(member.storeId));
        auto end = gone.find(member.incarnation);
        if (end == gone.end() || now - end->second <= ANSWERED) continue;
        fail(fmt::format("members are taken apart for a link of {}, whose process has ended",
                         member.name));
      }
      if (ends.size() != 2 || ends[0] == nullptr || ends[1] == nullptr) continue;
      auto since = now - FLAPPED;
      if (cluster.wire.disturbedSince(ends[0]->host(), ends[1]->host(), since)) continue;
      if (ends[0]->disturbedSince(since) || ends[1]->disturbedSince(since)) continue;
      fail(fmt::format("members are taken apart for a link that works, of {} and {}",
                       ends[0]->name(), ends[1]->name()));
    }
  }
}

// What a master has heard while it was storing its decision does not count.
void Checks::checkGate(const Configuration& before, const Configuration& after) {
  constexpr auto STORING = 400 * kj::MILLISECONDS;
  auto* joiner = before.joiner();
  auto* tail = before.tail();
  if (joiner == nullptr || tail == nullptr) return;
  auto* now = after.find(joiner->incarnation);
  if (now == nullptr || !now->serving) return;
  if (after.find(tail->incarnation) == nullptr) return;
  for (auto& machine: cluster.masters) {
    auto* master = machine->master();
    if (master == nullptr || master->current().epoch != before.epoch) continue;
    for (auto& link: master->linkReports().links()) {
      bool same = link.a == std::min(tail->incarnation, joiner->incarnation) &&
                  link.b == std::max(tail->incarnation, joiner->incarnation);
      if (!same || machine->process().timer().now() - link.came <= STORING) continue;
      fail(
          fmt::format("{} was let in after {}, which cannot talk to it", joiner->name, tail->name));
    }
  }
}

void Checks::changed(const master::Document& before, const master::Document& after) {
  auto& old = before.current();
  auto& next = after.current();
  if (old == next) return;
  if (next.reign != old.reign) return rebuilt(next);
  if (next.epoch != old.epoch + 1) {
    fail(fmt::format("epoch {} is followed by {}", old.epoch, next.epoch));
  }
  checkGate(old, next);
  if (auto broken = master::validate(old, next)) {
    fail(fmt::format("epoch {} ({}) is followed by {} ({}): {}", old.epoch, old.describe(),
                     next.epoch, next.describe(), *broken));
  }
  cluster.engine.note(
      fmt::format("stored epoch {}: {} ({})", next.epoch, next.describe(), next.cause));
  stored[next.epoch] = next;
  if (next.restartedIn == next.epoch) gaveUp(next);
  ++counts["epochs"];
  if (next.cause.find("total outage") != std::string::npos) ++counts["outages survived"];
  if (next.cause.find("has joined") != std::string::npos) ++counts["joined"];
  checkHolders(next);
}

// The new configuration follows one that any master stored, and has all that was ever committed.
void Checks::rebuilt(const Configuration& next) {
  cluster.engine.note(
      fmt::format("rebuilt with epoch {}: {} ({})", next.epoch, next.describe(), next.cause));
  bool known = std::any_of(stored.begin(), stored.end(),
                           [&](auto& each) { return each.second.members == next.members; });
  if (!known) fail(fmt::format("rebuilt with members that never were: {}", next.describe()));
  if (!stored.emplace(next.epoch, next).second) {
    fail(fmt::format("epoch {} is made a second time", next.epoch));
  }
  ++counts["masters rebuilt"];
  checkHolders(next);
}

void Checks::changedInLost(const master::Document& before, const master::Document& after) {
  if (cluster.configStore.lost()) return changed(before, after);
  auto& next = after.current();
  if (before.current() == next) return;
  cluster.engine.note(
      fmt::format("the lost master stores epoch {}: {}", next.epoch, next.describe()));
  if (!stored.emplace(next.epoch, next).second) {
    fail(fmt::format("epoch {} is made a second time", next.epoch));
  }
  overdue.insert(next.epoch);
  ++counts["epochs of lost masters"];
}

void Checks::checkEpoch(const std::string& name, const Configuration& configuration) {
  auto found = stored.find(configuration.epoch);
  if (found == stored.end()) {
    fail(fmt::format("{} has heard of epoch {} before it was stored", name, configuration.epoch));
  } else if (!same(configuration, found->second)) {
    fail(fmt::format("{} has another epoch {} than was stored: {}, not {}", name,
                     configuration.epoch, configuration.describe(), found->second.describe()));
  }
}

// A node takes the entries between the two indexes for committed.
void Checks::checkCommit(NodeMachine& machine, std::uint64_t before, std::uint64_t now) {
  auto& store = machine.disk().store();
  auto known = highest();
  // Its log may have lost the oldest of them already.
  auto start = store.logStart();
  if (start.index > before && start.index <= now) checkCommitted(machine, start, nullptr);
  auto& log = store.batches();
  auto batch = std::lower_bound(
      log.begin(), log.end(), before + 1,
      [](const BatchPtr& batch, std::uint64_t index) { return batch->lastIndex() < index; });
  for (; batch != log.end() && (*batch)->lastIndex() <= now; ++batch) {
    checkCommitted(machine, (*batch)->end(), &(*batch)->previous());
  }
  if (now > highest()) {
    fail(fmt::format("{} has commit index {}, which is not the end of a batch of its log after {}",
                     machine.name(), now, highest()));
  }
  if (highest() > known) checkHolders(cluster.configStore.current());
}

void Checks::checkCommitted(NodeMachine& machine, const Position& end, const Position* previous) {
  if (end.index > highest()) {
    if (previous != nullptr && !committed.empty() && !(*previous == committed.back().end)) {
      fail(fmt::format("{} commits {} after {}, where {} was committed", machine.name(), text(end),
                       text(*previous), text(committed.back().end)));
    }
    committed.push_back({end, previous == nullptr});
    return;
  }
  auto found = std::lower_bound(
      committed.begin(), committed.end(), end.index,
      [](const Committed& each, std::uint64_t index) { return each.end.index < index; });
  if (found->end == end) return;
  if (found->end.index > end.index && found->gap) {
    committed.insert(found, {end, true});
    return;
  }
  fail(fmt::format("{} takes {} for committed, where {} was", machine.name(), text(end),
                   text(found->end)));
}

// Whoever serves by the newest configuration has on disk what was ever committed.  A member whose
// process has ended is judged by the directory that this process left: an operator may have put an
// older copy in its place since, and a decision that was on its way to the store meanwhile still
// names the member.  Only another process finds the copy, and it is a member of nothing until a
// configuration names it (R2); in that one it is judged by the copy.  At least one member that
// serves has all of it now, so that the chain can go on (R11).
void Checks::checkHolders(const Configuration& configuration) {
  if (committed.empty()) return;
  bool kept = false;
  for (auto& member: configuration.members) {
    if (!member.serving) continue;
    auto* machine = cluster.nodeWithStore(member.storeId);
    if (machine == nullptr) {
      fail(fmt::format("the directory of {}, which serves, is gone", member.name));
      continue;
    }
    auto& disk = machine->disk();
    if (holdsDurably(disk.store(), committed.back().end)) kept = true;
    auto end = gone.find(member.incarnation);
    bool ended = end != gone.end() && std::none_of(seen.begin(), seen.end(), [&](auto& each) {
                   return each.second.incarnation == member.incarnation;
                 });
    auto& store = ended ? disk.leftAt(end->second) : disk.store();
    auto durable = store.durableEnd().index;
    if (durable < highest()) {
      fail(fmt::format("{} is committed, and {}, which serves, has {} on disk", highest(),
                       member.name, durable));
    } else if (holds(store, committed.back().end) == false) {
      fail(fmt::format("{} is committed, and {}, which serves, has something else there",
                       text(committed.back().end), member.name));
    }
  }
  if (!kept) {
    fail(fmt::format("{} is committed, and nobody who serves has it on disk any more",
                     text(committed.back().end)));
  }
}

// It is on so many disks, whether their nodes are members or not.
void Checks::checkAssured(NodeMachine& machine, const chain::Replica& replica) {
  auto least = replica.newest().minMembers;
  // What enough members have committed may have lost a disk by the time that the head learns of it.
  if (!replica.newest().isShort()) return;
  auto found = std::lower_bound(
      committed.begin(), committed.end(), replica.assured(),
      [](const Committed& each, std::uint64_t index) { return each.end.index < index; });
  if (found == committed.end()) return;
  unsigned holders = 0;
  for (auto& each: cluster.nodes) {
    if (holdsDurably(each->disk().store(), found->end)) ++holders;
  }
  if (holders < least) {
    fail(fmt::format("{} tells success up to {}, which {} disks hold, though {} have to",
                     machine.name(), replica.assured(), holders, least));
  }
}

void Checks::checkBound(NodeMachine& machine, const Bound& bound) {
  auto& current = cluster.configStore.current();
  if (bound.madeIn == 0 || bound.madeIn < current.restartedIn) return;
  auto found = std::lower_bound(
      committed.begin(), committed.end(), bound.at.index,
      [](const Committed& each, std::uint64_t index) { return each.end.index < index; });
  bool is = found != committed.end() && (found->end == bound.at || found->gap);
  if (!is) {
    fail(fmt::format("{} calls {} committed, which it is not", machine.name(), text(bound.at)));
  }
}

// The source's log is what the chain goes on with.  It may be older than where it has left the
// committed one, as that of a member which was restarted on an older copy of its directory.
void Checks::gaveUp(const Configuration& next) {
  auto before = committed.size();
  auto* source = cluster.nodeWithStore(next.members.front().storeId);
  while (!committed.empty()) {
    auto& last = committed.back().end;
    bool kept = last.index <= next.restartedFrom.index &&
                (source == nullptr || holds(source->disk().store(), last) != false);
    if (kept) break;
    committed.pop_back();
  }
  hashes.erase(hashes.upper_bound(highest()), hashes.end());
  ++counts["orders that gave up"];
  if (committed.size() < before) {
    lossy_ = true;
    ++counts["orders that gave up what was committed"];
  }
}

void Checks::checkPrefix(NodeMachine& machine, const chain::Replica& replica) {
  auto& configuration = replica.newest();
  auto* predecessor = configuration.predecessor(replica.incarnation());
  if (predecessor == nullptr) return;
  for (auto& other: cluster.nodes) {
    auto* node = other->node();
    if (node == nullptr || node->replica().incarnation() != predecessor->incarnation) continue;
    // It may have joined anew since, and have dropped what only it had.
    if (node->replica().newest().epoch != configuration.epoch) continue;
    if (holds(other->disk().store(), replica.logEnd()) == false) {
      fail(fmt::format(
          "in epoch {} the log of {} ends at {}, which its predecessor {} does not hold",
          configuration.epoch, machine.name(), text(replica.logEnd()), other->name()));
    }
  }
}

// Checks the stamps that the head has added in this turn.
void Checks::checkStamp(NodeMachine& machine, const chain::Replica& replica, Seen& known) {
  auto& log = machine.disk().store().batches();
  if (log.empty() || log.back()->epoch() != replica.newest().epoch) return;
  auto stamp = log.back()->lastStamp();
  auto now = cluster.engine.now() / kj::NANOSECONDS;
  // They advance at least at the rate of the true time.
  if (known.stampedIn == log.back()->epoch() && stamp - known.stamp < now - known.stampedAt) {
    fail(fmt::format("{} stamps as head {} ms after it did before, with a time that is {} ms later",
                     machine.name(), (now - known.stampedAt) / 1'000'000,
                     (stamp - known.stamp) / 1'000'000));
  }
  // An empty log has nothing to compare the clock with.
  if (log.back()->previous().index > 0) checkLeap(machine, stamp, now);
  known.stampedIn = log.back()->epoch();
  known.stamp = stamp;
  known.stampedAt = now;
  if (stamp > highestStamp) {
    highestStamp = stamp;
    highestStampAt = now;
  }
}

// A stamp advances at most by the time that has passed, or to what a clock may show.
void Checks::checkLeap(NodeMachine& machine, auction::Stamp stamp, std::int64_t now) {
  auto truth = Engine::WALL_AT_START + now;
  auto maxSkew = cluster.plan.master.maxSkew / kj::NANOSECONDS;
  if (stamp < truth - maxSkew - mastersBefore) {
    fail(fmt::format("{} stamps as head with a time that is {} ms before the true one",
                     machine.name(), (truth - stamp) / 1'000'000));
  }
  auto passed = highestStamp + (now - highestStampAt);
  // In one turn a stamp is at least a nanosecond after the one before it.
  constexpr std::int64_t FEW = 1'000'000;
  if (highestStamp == 0 || stamp <= passed + FEW) return;
  // A clock that is ahead looks better by the time for which the node's message is under way.
  // After that time the node gives its registration up.
  auto ahead = maxSkew + LONGEST_REGISTRATION / kj::NANOSECONDS + mastersAhead;
  if (stamp > truth + ahead) {
    fail(
        fmt::format("{} stamps as head with a time that is {} ms after the true one, and {} ms "
                    "after what has passed",
                    machine.name(), (stamp - truth) / 1'000'000, (stamp - passed) / 1'000'000));
  }
  // Only true clocks are accepted.
  bool accepted = stamp <= truth + maxSkew;
  if (!accepted && stamp - passed > cluster.plan.node.maxLeap / kj::NANOSECONDS + FEW) {
    fail(fmt::format("{} believes as head a clock that leaps by {} ms", machine.name(),
                     (stamp - passed) / 1'000'000));
  }
  if (stamp - passed > chain::ChainTime::SMALL_LEAP) ++counts["leaps"];
}

Time Checks::longestAuction() const {
  auto longest = 0 * kj::NANOSECONDS;
  for (auto* node: cluster.actingMembers()) {
    if (!isHead(node->replica().role())) continue;
    for (auto* auction: node->replica().state().listAuctions(0, SIZE_MAX)) {
      if (auction->phase != auction::Auction::Phase::open) continue;
      longest = kj::max(longest, (auction->deadline - node->chainTime()) * kj::NANOSECONDS);
    }
  }
  return longest;
}

bool Checks::anyOpen() const {
  for (auto* node: cluster.actingMembers()) {
    if (node->replica().state().nextDeadline()) return true;
  }
  return false;
}

void Checks::checkHash(NodeMachine& machine, const chain::Replica& replica, Seen& known) {
  auto index = replica.state().lastIndex();
  if (index == known.hashed || index > replica.commit() || index > highest()) return;
  if (index * 0x9e3779b97f4a7c15 >> 32 & (HASHED - 1)) return;
  known.hashed = index;
  auto hash = replica.state().hash();
  auto [found, isNew] = hashes.emplace(index, hash);
  if (!isNew && found->second != hash) {
    fail(fmt::format("the state of {} as of {} is another than somebody else's", machine.name(),
                     index));
  }
}

bool Checks::allApplied() const {
  auto& members = cluster.configStore.current().members;
  std::uint64_t last = 0;
  for (auto* node: cluster.actingMembers()) {
    last = std::max(last, node->replica().logEnd().index);
  }
  auto acting = cluster.actingMembers();
  return acting.size() == members.size() &&
         std::all_of(acting.begin(), acting.end(), [&](node::Node* node) {
           return node->replica().commit() == last && node->replica().state().lastIndex() == last;
         });
}

void Checks::checkEqual() {
  std::optional<std::array<std::uint8_t, 32>> first;
  for (auto* node: cluster.actingMembers()) {
    auto& state = node->replica().state();
    if (!first) first = state.hash();
    if (*first != state.hash()) {
      fail("in the end, the states of members differ: " + cluster.describe());
    }
  }
}

}  // namespace gavel::simulation
