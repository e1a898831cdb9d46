#include "auction/registry.h"

#include <string>

namespace gavel::auction {

const Bidder& Bidders::at(BidderId id) const {
  return byId.at(id - 1);  // Id 0 wraps around and is out of range as well.
}

void Bidders::add(std::string_view name, const CredentialHash& credential) {
  const BidderId id = nextId();
  const Bidder& added = byId.emplace_back(Bidder{id, std::string(name), credential});
  byName.add(added);
}

const Auction* Auctions::endingFirst() const {
  return open.empty() ? nullptr : open.begin()->second;
}

std::optional<Stamp> Auctions::firstDeadline() const {
  return open.empty() ? std::nullopt : std::optional(open.begin()->first.first);
}

Auction& Auctions::add(Auction&& auction) {
  const AuctionId id = auction.id;
  Auction& added = inOrder.emplace_hint(inOrder.end(), id, std::move(auction))->second;
  byId.add(added);
  byName.add(added);
  if (added.phase == Auction::Phase::open) open.emplace(Ending{added.deadline, id}, &added);
  return added;
}

void Auctions::moveDeadline(Auction& element, Stamp deadline) {
  if (deadline == element.deadline) return;
  auto node = open.extract(Ending{element.deadline, element.id});
  element.deadline = deadline;
  node.key().first = deadline;
  open.insert(std::move(node));
}

void Auctions::end(Auction& element, Auction::Phase phase) {
  open.erase(Ending{element.deadline, element.id});
  element.phase = phase;
}

void Auctions::remove(const Auction& element) {
  byName.remove(element);
  byId.remove(element);
  inOrder.erase(element.id);
}

}  // namespace gavel::auction
