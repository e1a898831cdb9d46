#include "tests/history/auction-check.h"

#include <algorithm>
#include <utility>

namespace gavel::history {
namespace {

using Told = Outcome::Kind;
using Change = Version::Kind;
using Phase = Standing::Phase;

bool reads(const Operation& operation) {
  return operation.kind == Kind::result;
}

bool is(const Operation& operation, Told outcome) {
  return operation.outcome.kind == outcome;
}

// The change that an accepted operation of this kind makes.
Change changeOf(Kind kind) {
  switch (kind) {
    case Kind::create:
      return Change::created;
    case Kind::close:
      return Change::closed;
    case Kind::cancel:
      return Change::cancelled;
    default:
      return Change::bid;
  }
}

Phase phaseOf(Told outcome) {
  switch (outcome) {
    case Told::open:
      return Phase::open;
    case Told::sold:
      return Phase::sold;
    case Told::noSale:
      return Phase::noSale;
    case Told::cancelled:
      return Phase::cancelled;
    default:
      return Phase::none;
  }
}

std::string quoted(const Operation& operation) {
  return "\n    " + describe(operation);
}
std::string quoted(const Version& version) {
  return "\n    " + describe(version);
}

}  // namespace

AuctionCheck::AuctionCheck(std::vector<const Operation*> operations, const FinalHistory* final)
    : operations(std::move(operations)), final(final) {}

std::optional<std::string> AuctionCheck::run() {
  try {
    if (final == nullptr) throw Broken{"its final history was not recorded: nothing can be said"};
    checkTimes();
    checkNumbers();
    makers_.assign(count(), nullptr);
    matchSuccesses();
    if (count() == 0) {
      checkFrom(nullptr);
      return std::nullopt;
    }
    if (makers_[0] != nullptr) {
      checkFrom(makers_[0]);
      return std::nullopt;
    }
    auto told = makers_;
    std::optional<std::string> problem;
    for (auto* by: possibleCreators()) {
      try {
        makers_ = told;
        checkFrom(by);
        return std::nullopt;
      } catch (const Broken& broken) {
        if (!problem) problem = broken.text;
      }
    }
    if (!problem) nobodyAsked(version(1));
    return problem;
  } catch (const Broken& broken) {
    return broken.text;
  }
}

void AuctionCheck::checkTimes() const {
  for (auto* operation: operations) {
    if (operation->returned < operation->invoked) {
      throw Broken{"an operation ended before it began:" + quoted(*operation)};
    }
    if (!is(*operation, Told::unknown) && operation->returned >= final->invoked) {
      throw Broken{"the final history was read before this ended:" + quoted(*operation)};
    }
    if (is(*operation, Told::unexpected)) {
      throw Broken{"no correct client is told this:" + quoted(*operation)};
    }
  }
}

// Checks the final history by itself, without the rules.
void AuctionCheck::checkNumbers() const {
  for (std::size_t number = 1; number <= count(); ++number) {
    auto& here = version(number);
    if (here.version != number) {
      throw Broken{"in the final history this stands where version " + std::to_string(number) +
                   " belongs:" + quoted(here)};
    }
    if (here.index == 0) throw Broken{"a version without a log index:" + quoted(here)};
    if (number == 1) continue;
    auto& before = version(number - 1);
    if (here.index <= before.index || here.stamp < before.stamp) {
      throw Broken{"log index or stamp goes back in the final history:" + quoted(before) +
                   quoted(here)};
    }
  }
}

void AuctionCheck::matchSuccesses() {
  for (auto* operation: operations) {
    if (is(*operation, Told::success)) matchSuccess(*operation);
  }
}

bool AuctionCheck::fits(const Operation& operation, const Version& version) const {
  if (operation.impostor || changeOf(operation.kind) != version.kind) return false;
  switch (operation.kind) {
    case Kind::create:
      return operation.who == version.who &&
             version.deadline == later(version.stamp, operation.terms.duration);
    case Kind::bid:
      return operation.who == version.who && operation.amount == version.amount;
    case Kind::close:  // The version has the winner's name; its creator shows whose auction it is.
      return true;
    case Kind::cancel:
      return operation.who == version.who;
    case Kind::result:
      return false;
  }
  return false;
}

void AuctionCheck::matchSuccess(const Operation& operation) {
  auto& told = operation.outcome;
  if (operation.impostor) {
    throw Broken{"accepted with a credential that is not the name's:" + quoted(operation)};
  }
  if (told.version < 1 || told.version > count()) {
    throw Broken{"LOST: acknowledged, but the final history ends at version " +
                 std::to_string(count()) + ":" + quoted(operation)};
  }
  auto& there = version(told.version);
  if (!fits(operation, there)) {
    for (auto& other: final->versions) {
      if (fits(operation, other)) {
        throw Broken{"acknowledged as one version, and there as another:" + quoted(operation) +
                     quoted(other)};
      }
    }
    throw Broken{"LOST: acknowledged, but in the final history that version is another:" +
                 quoted(operation) + quoted(there)};
  }
  if (told.index != there.index || told.stamp != there.stamp || told.deadline != there.deadline) {
    throw Broken{"acknowledged with another index, stamp or deadline than in the final history:" +
                 quoted(operation) + quoted(there)};
  }
  auto*& maker = makers_[told.version - 1];
  if (maker != nullptr) {
    throw Broken{"two operations were acknowledged as the same version:" + quoted(*maker) +
                 quoted(operation)};
  }
  maker = &operation;
}

bool AuctionCheck::mayHaveMade(const Operation& operation, const Version& version) const {
  return is(operation, Told::unknown) && operation.invoked <= final->returned &&
         fits(operation, version);
}

std::vector<const Operation*> AuctionCheck::possibleCreators() const {
  std::vector<const Operation*> found;
  for (auto* operation: operations) {
    if (!mayHaveMade(*operation, version(1))) continue;
    auto same = std::find_if(found.begin(), found.end(),
                             [&](auto* other) { return other->terms == operation->terms; });
    if (same == found.end()) {
      found.push_back(operation);
    } else if (operation->invoked < (*same)->invoked) {
      *same = operation;
    }
  }
  return found;
}

void AuctionCheck::checkFrom(const Operation* by) {
  creator = by;
  if (creator != nullptr) makers_[0] = creator;
  followRules();
  matchUnknown();
  place();
  findMoments();
}

void AuctionCheck::followRules() {
  standings.assign(1, Standing{});
  versionOfAmount.clear();
  for (std::size_t number = 1; number <= count(); ++number) {
    standings.push_back(standingAfter(number));
    auto& here = version(number);
    if (here.kind == Change::bid) versionOfAmount[here.amount] = number;
  }
}

Standing AuctionCheck::standingAfter(std::size_t number) const {
  auto standing = standings[number - 1];
  auto& here = version(number);
  auto require = [&](bool condition, const char* rule) {
    if (condition) return;
    std::string text = "the final history breaks the rules, " + std::string(rule) + ":";
    if (number > 1) text += quoted(version(number - 1));
    throw Broken{text + quoted(here)};
  };
  if (here.kind == Change::created) {
    require(standing.phase == Phase::none, "it is created twice");
    require(here.amount == 0, "a creation has an amount");
    standing.phase = Phase::open;
    standing.deadline = here.deadline;
    return standing;
  }
  require(standing.phase != Phase::none, "it begins with something else than its creation");
  require(!standing.over(), "something was accepted after the end");
  bool late = here.stamp >= standing.deadline;
  switch (here.kind) {
    case Change::created:
      break;
    case Change::bid: {
      auto least = nextValid(creator->terms, standing.highest);
      require(!late, "a bid was accepted after the deadline");
      require(least != 0 && here.amount >= least, "a bid does not beat the one before it enough");
      standing.highest = here.amount;
      standing.leader = here.who;
      standing.deadline =
          deadlineAfterBid(creator->terms, version(1).stamp, standing.deadline, here.stamp);
      break;
    }
    case Change::closed: {
      bool sold = standing.highest > 0 && standing.highest >= creator->terms.reserve;
      require(
          here.amount == (sold ? standing.highest : 0) && here.who == (sold ? standing.leader : ""),
          "the winner is not the highest bidder");
      standing.phase = sold ? Phase::sold : Phase::noSale;
      break;
    }
    case Change::cancelled:
      require(!late, "it was cancelled after the deadline");
      require(here.who == creator->who, "somebody else than the owner cancelled it");
      require(here.amount == 0, "a cancellation has an amount");
      standing.phase = Phase::cancelled;
      break;
  }
  require(here.deadline == standing.deadline, "the deadline is not what it should be");
  return standing;
}

void AuctionCheck::matchUnknown() {
  // These operations have no end.  If any of them can have made a change, the earliest can.
  auto earlier = [](const Operation*& best, const Operation& other) {
    if (best == nullptr || other.invoked < best->invoked) best = &other;
  };
  std::unordered_map<std::int64_t, std::vector<const Operation*>> bids;
  const Operation* end = nullptr;
  bool over = standings.back().over();
  for (auto* operation: operations) {
    if (!is(*operation, Told::unknown)) continue;
    if (operation->kind == Kind::bid) bids[operation->amount].push_back(operation);
    if (over && mayEnd(*operation) && mayHaveMade(*operation, final->versions.back())) {
      earlier(end, *operation);
    }
  }
  for (std::size_t number = 2; number <= count(); ++number) {
    auto& here = version(number);
    auto*& maker = makers_[number - 1];
    bool bySelf = here.kind == Change::closed && here.stamp >= standings[number - 1].deadline;
    if (maker != nullptr) {
      if (bySelf) {
        throw Broken{"acknowledged as early, but it ended at its deadline:" + quoted(*maker) +
                     quoted(here)};
      }
      if (here.kind != Change::bid && !mayEnd(*maker)) {
        throw Broken{"ended by somebody else than its owner:" + quoted(*maker)};
      }
      continue;
    }
    if (bySelf) continue;
    if (here.kind == Change::bid) {
      for (auto* bid: bids[here.amount]) {
        if (mayHaveMade(*bid, here)) earlier(maker, *bid);
      }
    } else {
      maker = end;
    }
    if (maker == nullptr) nobodyAsked(here);
  }
}

bool AuctionCheck::mayEnd(const Operation& operation) const {
  return (operation.kind == Kind::close || operation.kind == Kind::cancel) && !operation.impostor &&
         creator != nullptr && operation.who == creator->who;
}

void AuctionCheck::nobodyAsked(const Version& version) const {
  // Names the operation that got another answer about it.
  for (auto* operation: operations) {
    if (fits(*operation, version) && !is(*operation, Told::success) &&
        !is(*operation, Told::unknown)) {
      throw Broken{"refused, and yet in the final history:" + quoted(*operation) + quoted(version)};
    }
  }
  throw Broken{"in the final history, but nobody asked for it:" + quoted(version)};
}

void AuctionCheck::seen(std::size_t first, std::size_t last, const Operation& operation) {
  placements_.push_back({first, last, &operation});
}

void AuctionCheck::place() {
  placements_.clear();
  for (auto* operation: operations) {
    if (is(*operation, Told::success) || is(*operation, Told::unknown) ||
        is(*operation, Told::notApplied)) {
      continue;
    }
    if (reads(*operation) && !is(*operation, Told::noSuchAuction)) {
      placeAnswer(*operation);
    } else {
      placeRefusal(*operation);
    }
  }
}

void AuctionCheck::placeRefusal(const Operation& operation) {
  auto& told = operation.outcome;
  auto require = [&](bool condition, const char* problem) {
    if (!condition) throw Broken{std::string(problem) + ":" + quoted(operation)};
  };
  bool ends = operation.kind == Kind::close || operation.kind == Kind::cancel;
  if (told.kind == Told::noSuchAuction && (reads(operation) || ends)) {
    return seen(0, 0, operation);
  }
  if (told.kind == Told::notYours && ends) {
    require(!mayEnd(operation), "the owner was refused as somebody else");
    require(count() > 0, "refused, though there never was such an auction");
    return seen(1, count(), operation);
  }
  if (told.kind == Told::notYours) {
    return require(operation.impostor, "refused, though the credential is the name's");
  }
  require(!operation.impostor, "a credential that is not the name's was not refused");
  switch (told.kind) {
    case Told::noSuchAuction:
      require(operation.kind == Kind::bid, "no answer to such a request");
      return seen(0, 0, operation);
    case Told::alreadyExists:
      require(operation.kind == Kind::create, "no answer to such a request");
      require(count() > 0, "refused, though there never was such an auction");
      return seen(1, count(), operation);
    case Told::closed:
      require(operation.kind == Kind::bid || ends, "no answer to such a request");
      require(!ends || mayEnd(operation), "not the owner, and not refused for that");
      require(standings.back().over(), "refused as closed, though the auction never ended");
      return seen(count(), count(), operation);
    case Told::belowStart:
      require(operation.kind == Kind::bid, "no answer to such a request");
      require(count() > 0, "refused, though there never was such an auction");
      require(told.nextValid == nextValid(creator->terms, 0) && operation.amount < told.nextValid,
              "refused with a starting price that is not this auction's, or that it reaches");
      return seen(1, 1, operation);
    case Told::tooLow: {
      require(operation.kind == Kind::bid, "no answer to such a request");
      auto found = versionOfAmount.find(told.amount);
      require(found != versionOfAmount.end(), "refused with a highest bid that was never accepted");
      auto next = nextValid(creator->terms, told.amount);
      require(told.nextValid == next && (next == 0 || operation.amount < next),
              "refused with a next valid amount that is not, or that it reaches");
      return seen(found->second, found->second, operation);
    }
    default:
      require(false, "no answer to such a request");
  }
}

void AuctionCheck::placeAnswer(const Operation& operation) {
  auto& told = operation.outcome;
  auto phase = phaseOf(told.kind);
  if (phase == Phase::none) throw Broken{"no answer to such a request:" + quoted(operation)};
  if (told.version < 1 || told.version > count()) {
    throw Broken{"it saw a version that is not in the final history, which ends at version " +
                 std::to_string(count()) + ":" + quoted(operation)};
  }
  auto& there = standings[told.version];
  bool priced = phase == Phase::open || phase == Phase::sold;
  bool biddable = phase == Phase::open && !told.due;
  bool right = phase == there.phase && told.deadline == there.deadline &&
               told.amount == (priced ? there.highest : 0) &&
               told.who == (priced ? there.leader : "") &&
               told.nextValid == (biddable ? nextValid(creator->terms, there.highest) : 0);
  if (told.due) requireNothingButClosing(operation);
  if (!right) {
    throw Broken{"what it saw is not what that version is in the final history:" +
                 quoted(operation) + quoted(version(told.version))};
  }
  bool fromThen = told.index == 0 ||
                  (told.index >= version(told.version).index &&
                   (told.version == count() || told.index < version(told.version + 1).index));
  if (!fromThen) {
    throw Broken{"the index it is as of, " + std::to_string(told.index) +
                 ", is not one at which that version was the newest:" + quoted(operation)};
  }
  seen(told.version, told.version, operation);
}

// By the stamp of an entry before the answer, the deadline had passed.  Only the closing can
// follow, with no lower stamp (R16).
void AuctionCheck::requireNothingButClosing(const Operation& operation) const {
  if (operation.outcome.version == count()) return;
  auto& next = version(operation.outcome.version + 1);
  if (next.kind == Change::closed && next.stamp >= operation.outcome.deadline) return;
  throw Broken{"it was due, and yet something else came than that its deadline closed it:" +
               quoted(operation) + quoted(next)};
}

void AuctionCheck::findMoments() const {
  Moments moments(count());
  for (std::size_t number = 1; number <= count(); ++number) {
    if (makers_[number - 1] != nullptr) moments.made(number, *makers_[number - 1]);
  }
  for (auto& [first, last, operation]: placements_) moments.seen(first, last, *operation);
  if (auto conflict = moments.conflict()) contradict(*conflict);
}

void AuctionCheck::contradict(const Moments::Conflict& conflict) const {
  auto& earlier = conflict.earlier;
  auto& later = conflict.later;
  auto shown = std::to_string(earlier.change);
  std::string text;
  if (later.made) {
    text = "version " + shown + " was told or shown before version " +
           std::to_string(later.change) + " was asked for";
  } else {
    text = "OLD STATE: version " + shown + " was told or shown before this began, which came to " +
           "what only holds up to version " + std::to_string(later.change - 1);
  }
  text += ":" + quoted(*earlier.operation) + "\n  and then" + quoted(*later.operation);
  if (!later.made && earlier.change >= later.change) {
    text += "\n  with" + quoted(version(later.change));
  }
  throw Broken{text};
}

}  // namespace gavel::history
