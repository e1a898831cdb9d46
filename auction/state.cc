#include "auction/state.h"

#include <limits>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

#include "auction/decision.h"
#include "auction/rules.h"

// Applies entries, and looks at the state that they leave.
namespace gavel::auction {
namespace {

// Up to this many auctions or bidders are in the processor's cache anyway.
constexpr std::size_t CACHED = 2000;

std::size_t atMost(std::uint32_t limit) {
  return limit == 0 ? std::numeric_limits<std::size_t>::max() : limit;
}

}  // namespace

Outcome State::apply(const Entry& entry, std::vector<Event>* events) {
  if (entry.index != lastIndex_ + 1) {
    throw std::logic_error("log broken: entry " + std::to_string(entry.index) + " follows entry " +
                           std::to_string(lastIndex_));
  }
  if (entry.stamp < lastStamp_) {
    throw std::logic_error("log broken: stamp " + std::to_string(entry.stamp) + " of entry " +
                           std::to_string(entry.index) + " is before its predecessor's, " +
                           std::to_string(lastStamp_));
  }
  const Decision decision = decide(entry);
  Outcome outcome = decision.judgement.outcome;
  if (!decision.retry) outcome.index = entry.index;

  lastIndex_ = entry.index;
  lastStamp_ = entry.stamp;
  if (decision.registers != nullptr) {
    bidders.add(decision.registers->name, decision.registers->credential);
  }
  if (decision.runs) {
    std::visit([&](const auto& command) { run(command, entry, decision, events); }, entry.command);
  }
  if (decision.session != nullptr) {
    captureBeforeChange(*decision.session);
    sessions.record(entry, RequestRecord{fingerprint(entry.command), outcome});
  }
  return outcome;
}

void State::run(const OpenSession&, const Entry& entry, const Decision&, Events*) {
  if (sessions.full()) captureBeforeChange(*sessions.idlest());
  sessions.open(entry.index, entry.stamp);
}

void State::run(const ExpireSessions& expire, const Entry&, const Decision&, Events*) {
  for (auto left = atMost(expire.limit); left > 0; --left) {
    const Session* idlest = sessions.idlest();
    if (idlest == nullptr || idlest->lastUsed >= expire.idleSince) return;
    captureBeforeChange(*idlest);
    sessions.endIdlest();
  }
}

void State::run(const Bid& bid, const Entry& entry, const Decision& decision, Events* events) {
  Auction& auction = change(*decision.auction);
  auctions.moveDeadline(auction, decision.judgement.outcome.deadline);
  auction.highest = bid.amount;
  auction.highestBidder = decision.asker;
  addVersion(auction, Version::Kind::bid, entry, decision.asker, bid.amount, events);
}

void State::run(const CreateAuction& create, const Entry& entry, const Decision& decision,
                Events* events) {
  const Terms& terms = create.terms;
  Auction auction;
  auction.id = entry.index;
  auction.name = create.auction;
  auction.item = terms.item;
  auction.owner = decision.asker;
  auction.created = entry.stamp;
  auction.duration = terms.duration;
  auction.deadline = decision.judgement.outcome.deadline;
  auction.startingPrice = terms.startingPrice;
  auction.reserve = terms.reserve;
  auction.increment = terms.increment;
  auction.softCloseWindow = terms.softClose.window;
  auction.softCloseExtension = terms.softClose.extension;
  if (terms.softClose.window > 0) auction.hardEnd = after(entry.stamp, terms.softClose.hardEnd);
  auctionsMade += 1;
  addVersion(auctions.add(std::move(auction)), Version::Kind::created, entry, decision.asker, 0,
             events);
}

void State::run(const CloseAuction&, const Entry& entry, const Decision& decision, Events* events) {
  close(*decision.auction, entry, events);
}

void State::run(const CancelAuction&, const Entry& entry, const Decision& decision,
                Events* events) {
  end(change(*decision.auction), Auction::Phase::cancelled, entry, decision.asker, 0, events);
}

void State::run(const CloseExpired& command, const Entry& entry, const Decision&, Events* events) {
  for (auto left = atMost(command.limit); left > 0 && expired(entry.stamp); --left) {
    close(*auctions.endingFirst(), entry, events);
  }
}

void State::run(const CloseDue& command, const Entry& entry, const Decision&, Events* events) {
  const Auction* auction = auctions.find(command.auction);
  if (auction != nullptr && auction->due(entry.stamp)) close(*auction, entry, events);
}

void State::close(const Auction& element, const Entry& entry, Events* events) {
  Auction& auction = change(element);
  const bool sold = auction.highest > 0 && auction.highest >= auction.reserve;
  end(auction, Auction::Phase::closed, entry, sold ? auction.highestBidder : 0,
      sold ? auction.highest : 0, events);
}

void State::end(Auction& auction, Auction::Phase phase, const Entry& entry, BidderId bidder,
                Amount amount, Events* events) {
  auctions.end(auction, phase);
  const bool closed = phase == Auction::Phase::closed;
  addVersion(auction, closed ? Version::Kind::closed : Version::Kind::cancelled, entry, bidder,
             amount, events);
  endedDigest.add(auction);  // It never changes again.
}

// Adds the next version of `auction`, whose other fields must already have their new values.  An
// auction that existed before must come from change().
void State::addVersion(Auction& auction, Version::Kind kind, const Entry& entry, BidderId bidder,
                       Amount amount, Events* events) {
  if (auction.changedIn != round) {
    auction.changedIn = round;
    changedAuctions.push_back(&auction);
  }
  const Version& version = auction.history.emplace_back(
      Version{kind, entry.stamp, entry.index, bidder, amount, auction.deadline});
  auction.historyDigest = digestAfter(auction.historyDigest, version);
  if (events != nullptr) events->push_back(Event{&auction, auction.version()});
}

void State::prefetchPlaces(const Command& command) const {
  const auto* bid = std::get_if<Bid>(&command);
  if (bid == nullptr) return;
  if (auctions.size() > CACHED) auctions.prefetchPlace(bid->auction);
  if (bidders.size() > CACHED) bidders.prefetchPlace(bid->bidder.name);
}

void State::prefetch(const Command& command) const {
  const auto* bid = std::get_if<Bid>(&command);
  if (bid == nullptr) return;
  if (auctions.size() > CACHED) auctions.prefetchElement(bid->auction);
  if (bidders.size() > CACHED) bidders.prefetchElement(bid->bidder.name);
}

std::optional<Stamp> State::nextDeadline() const {
  return auctions.firstDeadline();
}

bool State::expired(Stamp stamp) const {
  const auto first = auctions.firstDeadline();
  return first && *first <= stamp;
}

std::string_view State::due(const Command& command, Stamp stamp) const {
  if (!expired(stamp)) return {};  // This is nearly always so.
  return std::visit(
      [&](const auto& request) -> std::string_view {
        using Request = std::decay_t<decltype(request)>;
        if constexpr (std::is_same_v<Request, Bid> || std::is_same_v<Request, CloseAuction> ||
                      std::is_same_v<Request, CancelAuction>) {
          const Auction* auction = auctions.find(request.auction);
          if (auction != nullptr && auction->due(stamp)) return auction->name;
        }
        return {};
      },
      command);
}

std::optional<Stamp> State::idlestSession() const {
  const Session* session = sessions.idlest();
  return session == nullptr ? std::nullopt : std::optional(session->lastUsed);
}

const Auction* State::findAuction(std::string_view name) const {
  return auctions.find(name);
}
const Auction* State::findAuction(AuctionId id) const {
  return auctions.find(id);
}

std::vector<const Auction*> State::listAuctions(AuctionId after, std::size_t limit) const {
  std::vector<const Auction*> list;
  const auto& all = auctions.all();
  for (auto i = all.upper_bound(after); i != all.end() && list.size() < limit; ++i) {
    list.push_back(&i->second);
  }
  return list;
}

const Bidder* State::findBidder(std::string_view name) const {
  return bidders.find(name);
}
const Bidder& State::bidder(BidderId id) const {
  return bidders.at(id);
}
const Session* State::findSession(std::uint64_t id) const {
  return sessions.find(id);
}

std::size_t State::auctionCount() const {
  return auctionsMade;
}
std::size_t State::bidderCount() const {
  return bidders.size();
}
std::size_t State::sessionCount() const {
  return sessions.size();
}

}  // namespace gavel::auction
