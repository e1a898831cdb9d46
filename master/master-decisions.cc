#include <algorithm>
#include <utility>

#include <kj/debug.h>

#include "base/logging.h"
#include "master/master.h"

// The decisions of a master.  Each gathers what is known, has it judged by pure functions, and
// stores the outcome.
namespace gavel::master {
namespace {

// How long a removal waits for the probes of other members that are under way, so that nodes that
// fail together are removed together.  Most probes take a millisecond.
constexpr auto GATHER = 10 * kj::MILLISECONDS;
// The deadline includes a commit: the head commits an entry before it answers.
constexpr auto ACCEPT_DEADLINE = 5 * kj::SECONDS;
// How many orders of operators may wait for their turn.
constexpr std::size_t MAX_ORDERS = 100;
// How much later than the first member the last one reports that its disk hangs, if all disks hang
// at the same moment (R12).  Nodes probe idle disks once a second, look twice a second, and report
// with a heartbeat.
constexpr auto HANGS_FOR_SURE = 2 * kj::SECONDS;
// How many members have to serve after a slow one is taken out, so that what is acknowledged is
// still on more than one disk (R12).
constexpr std::size_t LEFT_BY_SLOW = 2;

}  // namespace

void Master::considerForming() {
  if (!foreign.empty()) {
    if (forming != foreign) logError("no chain is formed", {{"reason", foreign}});
    forming = foreign;
    return;
  }
  std::vector<Candidate> candidates;
  for (auto& [incarnation, node]: roster.all()) {
    if (node.session == 0 || !suspicion.isHeard(incarnation, timer.now())) continue;
    if (magnitude(node.skew) > settings.maxSkew) continue;  // R15
    candidates.push_back(node.candidate);
  }
  auto decision = form(current(), candidates, settings.replicas, random.id());
  if (auto* next = std::get_if<Configuration>(&decision)) {
    put(std::move(*next), timer.now());
    return;
  }
  auto& why = std::get<Unchanged>(decision).why;
  if (forming != why) logInfo("the chain has not formed yet", {{"reason", why}});
  forming = why;
}

// This comes before removals.  If the tail was the only serving member and is lost, only its gate
// lets the joiner go on.  The gate binds the tail for as long as it acts in this epoch.
bool Master::considerGate() {
  KJ_IF_MAYBE (gate, gated) {
    auto decision = withJoined(current(), gate->epoch, gate->reporter, gate->joiner);
    bool heard = suspicion.isHeard(gate->joiner, timer.now());
    auto* next = std::get_if<Configuration>(&decision);
    if (next == nullptr) {
      gated = nullptr;
      return false;
    }
    if (!heard) return false;  // A lost joiner is removed; one that is back in time joins.
    if (gateIsOverDeadPair()) return false;
    gated = nullptr;
    put(std::move(*next), timer.now());
    return true;
  }
  return false;
}

bool Master::considerRemoving() {
  std::vector<Loss> losses;
  std::set<std::uint64_t> heard, hanging;
  auto since = timer.now();
  bool running = false;  // Some serving member is not lost.
  for (auto& member: current().members) {
    if (suspicion.isHeard(member.incarnation, timer.now())) heard.insert(member.incarnation);
    auto* node = roster.find(member.incarnation);
    if (node != nullptr && node->diskHangsSince != nullptr) hanging.insert(member.incarnation);
    KJ_IF_MAYBE (loss, suspicion.lost(member.incarnation)) {
      losses.push_back(Loss{member.incarnation, loss->cause});
      since = kj::min(since, loss->since);
    } else if (member.serving) {
      running = true;
    }
  }
  if (running) {
    outage = nullptr;
    sourceSince = nullptr;
  }
  for (auto& loss: lossesByHanging(current(), losses, heard, hanging)) {
    if (hangsForSure(*roster.find(loss.incarnation))) losses.push_back(loss);
  }
  if (losses.empty()) {
    gatherUntil = nullptr;
    complaint.clear();
    return false;
  }
  if (awaitOtherProbes()) return true;
  if (!running) return considerOutage();
  auto decision = withoutLost(current(), losses, heard);
  if (auto* next = std::get_if<Configuration>(&decision)) {
    gatherUntil = nullptr;
    put(withoutNewDeadPairs(current(), std::move(*next), deadPairs, heard, timer.now()), since);
    return true;
  }
  complain(std::get<Unchanged>(decision).why);
  askLostAgain();
  gatherUntil = nullptr;
  return false;
}

// Without the lost members nothing can be decided.  If there are several masters, they may have
// registered with another one meanwhile, which has nothing to decide.
void Master::askLostAgain() {
  for (auto& member: current().members) suspicion.askAgain(member.incarnation, timer.now());
}

// Whether its disk has hung for so long that all others would have reported theirs.
bool Master::hangsForSure(const Node& node) const {
  KJ_IF_MAYBE (since, node.diskHangsSince) {
    return timer.now() - *since >= HANGS_FOR_SURE;
  }
  return false;
}

// Compares how long things take the nodes that are heard, by their last reports.
void Master::comparePace() {
  std::vector<Measured> members, others;
  for (auto& [incarnation, node]: roster.all()) {
    if (node.session == 0 || !suspicion.isHeard(incarnation, timer.now())) continue;
    Measured measured;
    measured.incarnation = incarnation;
    measured.name = node.member().name;
    measured.syncs = node.syncs;
    measured.turns = node.turns;
    measured.skewed = magnitude(node.skew) > settings.maxSkew;
    auto* member = current().find(incarnation);
    if (member == nullptr) {
      others.push_back(std::move(measured));
    } else if (member->serving) {
      members.push_back(std::move(measured));
    }
  }
  // A member that is not heard may be as slow, so nothing is compared.
  if (members.size() < current().servingCount()) members.clear();
  slowness.check(members, others, timer.now());
}

bool Master::considerSlow() {
  auto serving = current().servingCount();
  auto least = kj::max(LEFT_BY_SLOW, std::size_t{current().minMembers});
  if (serving < least + 1 || current().joiner() != nullptr) return false;
  KJ_IF_MAYBE (loss, slowness.toRemove(timer.now())) {
    auto* member = current().find(loss->incarnation);
    if (member == nullptr) return false;
    std::set<std::uint64_t> heard;
    for (auto& each: current().members) {
      if (suspicion.isHeard(each.incarnation, timer.now())) heard.insert(each.incarnation);
    }
    auto decision = withoutLost(current(), {*loss}, heard);
    auto* next = std::get_if<Configuration>(&decision);
    if (next == nullptr) return false;
    // A slow member stays if its neighbours are a dead pair: a slow chain is better than a short
    // one.
    if (withoutNewDeadPairs(current(), *next, deadPairs, heard, timer.now()) != *next) return false;
    logWarning("taking a member out that makes all others wait",
               {{"node", member->name}, {"reason", loss->cause}});
    slowness.removed(member->name, loss->cause, timer.now());
    put(std::move(*next), timer.now());
    return true;
  }
  return false;
}

// Called when every serving member is lost (R11).
bool Master::considerOutage() {
  auto now = timer.now();
  std::vector<Returned> returned;
  for (auto& [incarnation, node]: roster.all()) {
    if (node.session == 0 || !suspicion.isHeard(incarnation, now)) continue;
    auto* old = current().servingStore(node.member().storeId);
    returned.push_back(
        {node.candidate, old != nullptr && suspicion.ended(old->incarnation), copyOf(node)});
  }
  auto found = assess(current(), returned, told, bound());
  bool ready = !found.sources.empty();
  if (!ready) {
    sourceSince = nullptr;
  } else if (sourceSince == nullptr) {
    sourceSince = now;
  }
  if (ready && (found.complete() || now - sourceSince.orDefault(now) >= settings.outageWait)) {
    auto decision = restarted(current(), found);
    put(std::get<Configuration>(std::move(decision)), sourceSince.orDefault(now));
    return true;
  }
  // It is known in a moment that old processes have ended, unless one answers.
  bool undead = std::any_of(
      current().members.begin(), current().members.end(),
      [this](const Member& member) { return suspicion.answersStill(member.incarnation); });
  if (undead || !found.pending()) complain(master::describe(current(), found));
  if (!ready) askLostAgain();
  gatherUntil = nullptr;
  outage = kj::mv(found);
  return false;
}

Newcomer Master::describe(const Node& node) const {
  auto& name = node.member().name;
  Newcomer newcomer;
  newcomer.candidate = node.candidate;
  newcomer.heard = node.session != 0 && suspicion.isHeard(node.member().incarnation, timer.now());
  newcomer.skewed = magnitude(node.skew) > settings.maxSkew;
  newcomer.drained = contains(ledger->document().drained, name);
  newcomer.wanted = orders.wanted.count(name) != 0;
  newcomer.wait = flapping.wait(name, timer.now());
  newcomer.diskHangs = node.diskHangsSince != nullptr;
  newcomer.slow = slowness.whyOut(name);
  newcomer.whyNotAfterTail = whyNotAfterTail(name);
  newcomer.copy = copyOf(node);
  return newcomer;
}

std::vector<Newcomer> Master::newcomers() const {
  std::vector<Newcomer> all;
  for (auto& [incarnation, node]: roster.all()) {
    if (!current().contains(incarnation)) all.push_back(describe(node));
  }
  return all;
}

void Master::considerJoining() {
  if (current().members.size() >= settings.replicas && orders.wanted.empty()) return;
  if (current().joiner() != nullptr) return;
  // Nobody joins while another change may be about to come, or while the tail is not heard and
  // could take nobody in.
  for (auto& member: current().members) {
    bool unsure = suspicion.inDoubt(member.incarnation);
    if (unsure || suspicion.lost(member.incarnation) != nullptr) return;
  }
  auto* tail = current().tail();
  if (tail == nullptr || !suspicion.isHeard(tail->incarnation, timer.now())) return;
  auto decision = join(current(), newcomers(), settings.replicas);
  if (auto* next = std::get_if<Configuration>(&decision)) put(std::move(*next), timer.now());
}

// Puts the --min-members of this process into the configuration, if they differ (R18).
void Master::considerRules() {
  if (current().epoch == 0 || rulesSeen) return;
  rulesSeen = true;
  if (kj::max(1u, current().minMembers) == settings.minMembers) return;
  auto next = current().next();
  next.members = current().members;
  next.cause = "--min-members is now " + std::to_string(settings.minMembers);
  put(std::move(next), timer.now());
}

// Members that are lost and asked again count as well.  Or the first one that answers, when a cut of
// all heals, would have the others removed.
bool Master::awaitOtherProbes() {
  bool others =
      std::any_of(current().members.begin(), current().members.end(),
                  [this](const Member& member) { return suspicion.inDoubt(member.incarnation); });
  if (!others) return false;
  KJ_IF_MAYBE (until, gatherUntil) {
    return timer.now() < *until;
  }
  gatherUntil = timer.now() + GATHER;
  evaluateAt(timer.now() + GATHER);
  return true;
}

void Master::complain(const std::string& why) {
  if (complaint == why) return;
  complaint = why;
  logWarning("members are lost, but the configuration has to stay",
             {{"epoch", current().epoch}, {"members", current().describe()}, {"reason", why}});
}

kj::Promise<Master::Answer> Master::order(kj::Function<Ruling(const View&)> rule) {
  wake();
  if (waiting.size() >= MAX_ORDERS) {
    return KJ_EXCEPTION(OVERLOADED, "too many orders of operators are waiting: try again");
  }
  auto paf = kj::newPromiseAndFulfiller<Answer>();
  waiting.push_back(Order{kj::mv(rule), kj::mv(paf.fulfiller)});
  evaluateSoon();
  return kj::mv(paf.promise);
}

kj::Promise<Master::Answer> Master::acceptClock(std::int64_t limit) {
  wake();
  auto* head = current().members.empty() ? nullptr : &current().members.front();
  if (head == nullptr) return Answer{true, "the chain has not formed yet: it has no time"};
  auto name = head->name;
  KJ_IF_MAYBE (control, announcer.control(head->incarnation)) {
    auto request = control->acceptClockRequest();
    request.setLimit(limit);
    return timer.timeoutAfter(ACCEPT_DEADLINE, request.send()).then([name](auto&& response) {
      std::string refused = response.getRefused().cStr();
      auto words = refused.empty() ? name + " goes on by its clock" : name + ": " + refused;
      logInfo(refused.empty() ? "order of an operator" : "an order was not carried out",
              {{"words", words}});
      return Answer{!refused.empty(), words};
    });
  }
  return Answer{true, "the head, " + name + ", is not heard: look again"};
}

View Master::view() const {
  View view{current(), ledger->document().drained, orders, newcomers(), {}, {}, {}, bound()};
  for (auto& [name, refused]: refusals.all()) view.refused.insert(name);
  for (auto& member: current().members) {
    if (suspicion.isHeard(member.incarnation, timer.now())) view.heard.insert(member.incarnation);
    if (suspicion.lost(member.incarnation) != nullptr) view.lost.insert(member.incarnation);
  }
  return view;
}

void Master::carryOutOrders() {
  while (!waiting.empty() && !ledger->busy()) {
    auto order = kj::mv(waiting.front());
    waiting.pop_front();
    abandoned.clear();
    carryOut(order.rule(view()), kj::mv(order.answer));
  }
  if (ledger->busy() || current().epoch == 0) return;
  if (auto ruling = continueReplacement(view())) {
    if (ruling->refused) abandoned = ruling->words;
    carryOut(std::move(*ruling), nullptr);
  }
}

void Master::carryOut(Ruling ruling, kj::Maybe<kj::Own<kj::PromiseFulfiller<Answer>>> answer) {
  if (ruling.refused || (!ruling.next && !ruling.drained)) {
    enact(ruling, kj::mv(answer));
    return;
  }
  auto document = ruling.next ? documentWith(*ruling.next) : ledger->document();
  if (ruling.drained) document.drained = *ruling.drained;
  auto since = timer.now();
  tasks.add(ledger->replace(document).then(
      [this, document, since, ruling = std::move(ruling), answer = kj::mv(answer)]() mutable {
        if (ledger->document() != document) {
          ruling = Ruling();
          ruling.refused = true;
          ruling.words = "another master has changed the configuration meanwhile: look again";
        }
        enact(ruling, kj::mv(answer));
        if (ruling.next) {
          written(document.current(), since);
        } else {
          configurationChanged(By::others);  // This swap keeps it: a new one is theirs.
          evaluateSoon();
        }
      }));
}

void Master::enact(const Ruling& ruling, kj::Maybe<kj::Own<kj::PromiseFulfiller<Answer>>> answer) {
  if (ruling.orders) orders = *ruling.orders;
  if (!ruling.vouched.empty()) {
    flapping.reset(ruling.vouched);
    slowness.reset(ruling.vouched);
    deadPairs.reset(ruling.vouched);
  }
  if (!ruling.forgotten.empty()) forgetNamed(ruling.forgotten);
  logInfo(ruling.refused ? "an order was not carried out" : "order of an operator",
          {{"words", ruling.words}});
  evaluateSoon();
  KJ_IF_MAYBE (fulfiller, answer) {
    (*fulfiller)->fulfill(Answer{ruling.refused, ruling.words});
  }
}

}  // namespace gavel::master
