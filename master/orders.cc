#include "master/orders.h"

#include <algorithm>

#include "master/outage.h"

namespace gavel::master {
namespace {

Ruling refuse(std::string words) {
  Ruling ruling;
  ruling.refused = true;
  ruling.words = std::move(words);
  return ruling;
}

const Newcomer* findNewcomer(const View& view, std::string_view name) {
  // A process that is heard is preferred to one of the same name that is gone.
  const Newcomer* found = nullptr;
  for (auto& newcomer: view.newcomers) {
    if (newcomer.candidate.member.name != name) continue;
    if (found == nullptr || newcomer.heard) found = &newcomer;
  }
  return found;
}

Ruling refuseUnknown(const std::string& name) {
  return refuse("no node called " + name +
                " has registered with this master: start it with --name " + name);
}

std::vector<std::string> without(std::vector<std::string> names, std::string_view name) {
  std::erase(names, name);
  return names;
}

std::vector<std::string> with(std::vector<std::string> names, const std::string& name) {
  if (!contains(names, name)) names.push_back(name);
  return names;
}

// Says why the node may not join even if an operator vouches for it; empty if it may.
std::string whyNotOnOrder(const View& view, Newcomer newcomer) {
  newcomer.drained = false;
  newcomer.wait = 0 * kj::SECONDS;
  newcomer.slow.clear();
  newcomer.whyNotAfterTail.clear();
  return whyNotEligible(view.current, newcomer);
}

// Says why `name` cannot be part of another order: it takes part in a replacement.
std::string whyBusy(const View& view, const std::string& name) {
  if (!view.orders.replacement) return "";
  auto& running = *view.orders.replacement;
  if (running.old != name && running.successor != name) return "";
  return "the replacement of " + running.old + " by " + running.successor +
         " is under way: wait for it";
}

std::string whyTooShort(const Configuration& next) {
  return std::to_string(next.servingCount()) +
         " would serve, and bids are taken only while at least " + std::to_string(next.minMembers) +
         " do (--min-members): let another node join first";
}

// The common part of add and replace: `name` may join, whatever happened before.
Ruling admit(const View& view, const std::string& name) {
  if (view.current.epoch == 0) return refuse("the chain has not formed yet");
  auto* member = view.current.named(name);
  auto* newcomer = findNewcomer(view, name);
  if (member != nullptr && (newcomer == nullptr || !newcomer->heard)) {
    return refuse(name + (member->serving ? " is a member already" : " is joining already"));
  }
  if (newcomer == nullptr) return refuseUnknown(name);
  auto why = whyNotOnOrder(view, *newcomer);
  if (!why.empty()) return refuse(name + " cannot join: " + why);
  Ruling ruling;
  if (contains(view.drained, name)) ruling.drained = without(view.drained, name);
  ruling.vouched = name;
  ruling.orders = view.orders;
  ruling.orders->wanted.insert(name);
  return ruling;
}

}  // namespace

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Ruling ruleAdd(const View& view, const std::string& name) {
  auto ruling = admit(view, name);
  if (ruling.refused) return ruling;
  ruling.words = name + " joins the chain";
  auto* joiner = view.current.joiner();
  if (joiner != nullptr) ruling.words += " as soon as " + joiner->name + " has joined";
  return ruling;
}

Ruling ruleDrain(const View& view, const std::string& name) {
  if (view.current.epoch == 0) return refuse("the chain has not formed yet");
  auto busy = whyBusy(view, name);
  if (!busy.empty()) return refuse(busy);
  bool isMember = view.current.named(name) != nullptr;
  bool isDrained = contains(view.drained, name);
  if (!isMember && findNewcomer(view, name) == nullptr && !isDrained) return refuseUnknown(name);
  if (!isDrained && view.drained.size() >= MAX_DRAINED) {
    return refuse("this master keeps the names of " + std::to_string(MAX_DRAINED) +
                  " drained nodes, and no more: add some of them again");
  }

  Ruling ruling;
  ruling.orders = view.orders;
  ruling.orders->wanted.erase(name);
  ruling.drained = with(view.drained, name);
  if (!isMember) {
    ruling.words = name + " is no member, and stays out until it is added";
    return ruling;
  }
  auto decision = withoutDrained(view.current, name, view.heard);
  if (auto* unchanged = std::get_if<Unchanged>(&decision)) return refuse(unchanged->why);
  ruling.next = std::get<Configuration>(std::move(decision));
  bool serves = ruling.next->servingCount() < view.current.servingCount();
  if (serves && ruling.next->isShort()) return refuse(whyTooShort(*ruling.next));
  ruling.words = name + " has left the chain, which is now " + ruling.next->describe() +
                 ", and stays out until it is added: its process may be stopped";
  return ruling;
}

Ruling ruleReplace(const View& view, const std::string& old, const std::string& successor) {
  if (old == successor) return refuse("a node cannot replace itself: restart it");
  if (view.orders.replacement) {
    auto& running = *view.orders.replacement;
    return refuse("the replacement of " + running.old + " by " + running.successor +
                  " is under way, and there is one at a time");
  }
  auto* member = view.current.named(old);
  if (member == nullptr) return refuse(old + " is no member: add " + successor + " instead");
  if (!member->serving) {
    return refuse(old + " is still joining: drain it, and add " + successor);
  }
  auto ruling = admit(view, successor);
  if (ruling.refused) return ruling;
  if (view.current.isShort()) {
    return refuse(std::to_string(view.current.servingCount()) +
                  " serve, and bids are taken only "
                  "while at least " +
                  std::to_string(view.current.minMembers) + " do (--min-members): add " +
                  successor + " instead, and drain " + old + " when enough serve");
  }
  ruling.orders->replacement = Orders::Replacement{old, successor};
  ruling.words =
      successor + " joins the chain, and " + old + " leaves it as soon as " + successor + " serves";
  return ruling;
}

Ruling ruleForget(const View& view, const std::string& name) {
  auto busy = whyBusy(view, name);
  if (!busy.empty()) return refuse(busy);
  if (view.current.named(name) != nullptr) {
    return refuse(name + " is a member: `gavel chain drain " + name + "` takes it out first");
  }
  auto* newcomer = findNewcomer(view, name);
  if (newcomer != nullptr && newcomer->heard) return refuse(name + " is heard: stop it first");
  bool isDrained = contains(view.drained, name);
  if (newcomer == nullptr && !isDrained && view.refused.count(name) == 0) {
    return refuse("no node called " + name + " is known to this master");
  }
  Ruling ruling;
  ruling.forgotten = name;
  ruling.orders = view.orders;
  ruling.orders->wanted.erase(name);
  if (isDrained) ruling.drained = without(view.drained, name);
  ruling.words = name + " is forgotten; a node that is started under that name may join";
  return ruling;
}

std::optional<Ruling> continueReplacement(const View& view) {
  if (!view.orders.replacement) return std::nullopt;
  auto [old, successor] = *view.orders.replacement;
  Orders rest = view.orders;
  rest.replacement = std::nullopt;
  auto* member = view.current.named(successor);
  auto* newcomer = findNewcomer(view, successor);
  bool lost = member != nullptr ? view.lost.count(member->incarnation) != 0
                                : newcomer == nullptr || !newcomer->heard;
  if (lost) {
    rest.wanted.erase(successor);
    auto ruling = refuse("the replacement of " + old + " by " + successor +
                         " is abandoned: " + successor + " was lost");
    ruling.orders = rest;
    return ruling;
  }
  if (member == nullptr || !member->serving) return std::nullopt;
  Ruling ruling;
  ruling.orders = rest;
  ruling.drained = with(view.drained, old);
  ruling.words = successor + " has replaced " + old;
  if (view.current.named(old) == nullptr) return ruling;  // It was lost meanwhile.
  auto decision = withoutDrained(view.current, old, view.heard);
  if (std::holds_alternative<Unchanged>(decision)) return std::nullopt;  // It cannot leave now.
  ruling.next = std::get<Configuration>(std::move(decision));
  // Others were lost meanwhile: it stays until enough members serve.
  if (ruling.next->isShort()) return std::nullopt;
  return ruling;
}

Ruling ruleRecover(const View& view, const std::string& name, std::uint64_t epoch) {
  auto& current = view.current;
  if (current.epoch == 0)
    return refuse("the chain has not formed yet: there is nothing to recover");
  if (epoch != current.epoch) {
    return refuse("the chain is in epoch " + std::to_string(current.epoch) + ", not " +
                  std::to_string(epoch) + ": look again before you decide");
  }
  for (auto& member: current.members) {
    if (!member.serving) continue;
    if (view.heard.count(member.incarnation) != 0) {
      return refuse(member.name + " serves: there is nothing to recover");
    }
    if (view.lost.count(member.incarnation) == 0) {
      return refuse("it is not known yet whether " + member.name +
                    " runs: look again in a few seconds");
    }
  }
  auto* newcomer = findNewcomer(view, name);
  if (newcomer == nullptr) {
    if (current.named(name) != nullptr) {
      return refuse(name +
                    (current.joiner() != nullptr && current.joiner()->name == name
                         ? " was joining: restart it, so that it says what it has on its disk"
                         : " is not heard: start it"));
    }
    return refuseUnknown(name);
  }
  auto& candidate = newcomer->candidate;
  if (!newcomer->heard) return refuse(name + " is not heard: start it");
  if (candidate.clusterId != current.clusterId) {
    return refuse("the data directory of " + name + " does not belong to this cluster");
  }
  bool served = current.servingStore(candidate.member.storeId) != nullptr;
  if (candidate.last == 0 && !served) {
    return refuse(name + " holds no entries: there is nothing to recover from it");
  }
  if (!newcomer->copy.empty()) return refuse(newcomer->copy);
  if (!candidate.stored) {
    return refuse("the end of the log of " + name +
                  " is not on its disk yet: look again in a moment");
  }
  if (newcomer->skewed) {
    return refuse("the clock of " + name +
                  " is wrong, or the master's: they differ by more than --max-skew; set the wrong "
                  "one right (NTP)");
  }

  Ruling ruling;
  ruling.next = recovered(current, candidate);
  ruling.orders = Orders();
  if (contains(view.drained, name)) ruling.drained = without(view.drained, name);
  ruling.words =
      "the chain goes on from " + name + " alone, in epoch " + std::to_string(ruling.next->epoch);
  auto others = lostWith(current, candidate.member);
  if (others.empty()) {
    ruling.words += "; entries that its disk has lost are lost";
  } else {
    auto names = listNames(others);
    ruling.words +=
        "; entries that only " + names + " had are lost.  Should a process of " + names +
        " still run where this master does not hear it, stop it: what it acknowledges is "
        "lost too";
  }
  if (!view.bound.within(candidate.end)) {
    ruling.words += ".  Its log ends at " + std::to_string(candidate.end.index) +
                    ", and entries up to " + std::to_string(view.bound.at.index) +
                    " were known to be committed: what was acknowledged beyond " +
                    std::to_string(candidate.end.index) + " is given up";
  }
  return ruling;
}

}  // namespace gavel::master
