#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "auction/auction.h"
#include "auction/index.h"

// The tables of bidders and auctions.  Elements keep their addresses for the table's life, even if
// the table is moved.  So the indexes may point to them and borrow their names as keys.
namespace gavel::auction {

class Bidders {
public:
  const Bidder* find(std::string_view name) const { return byName.find(name); }
  // As of Index.
  void prefetchPlace(std::string_view name) const { byName.prefetchPlace(name); }
  void prefetchElement(std::string_view name) const { byName.prefetchElement(name); }
  const Bidder& at(BidderId id) const;                    // Throws std::out_of_range.
  const std::deque<Bidder>& all() const { return byId; }  // In order of id.
  std::size_t size() const { return byId.size(); }
  // The id of the next bidder to register.
  BidderId nextId() const { return byId.size() + 1; }

  // Registers `name`, which must be unknown.
  void add(std::string_view name, const CredentialHash& credential);

private:
  std::deque<Bidder> byId;
  Index<std::string_view, const Bidder, &Bidder::name> byName;
};

class Auctions {
public:
  const Auction* find(std::string_view name) const { return byName.find(name); }
  const Auction* find(AuctionId id) const { return byId.find(id); }
  // As of Index.
  void prefetchPlace(std::string_view name) const { byName.prefetchPlace(name); }
  void prefetchElement(std::string_view name) const { byName.prefetchElement(name); }
  const std::map<AuctionId, Auction>& all() const { return inOrder; }
  std::size_t size() const { return inOrder.size(); }
  std::size_t openCount() const { return open.size(); }

  // Return the open auction that ends first, by (deadline, id), and its deadline; null if none is
  // open.
  const Auction* endingFirst() const;
  std::optional<Stamp> firstDeadline() const;

  // Adds an auction whose id and name must be unknown.
  Auction& add(Auction&& auction);

  // Gives write access to one of the table's own elements, without looking it up again.  Deadline
  // and phase may only be changed through the two functions below.
  Auction& edit(const Auction& element) { return const_cast<Auction&>(element); }
  void moveDeadline(Auction& element, Stamp deadline);
  // Ends an open auction.
  void end(Auction& element, Auction::Phase phase);
  // Forgets an auction that has ended.
  void remove(const Auction& element);

private:
  using Ending = std::pair<Stamp, AuctionId>;

  std::map<AuctionId, Auction> inOrder;
  Index<AuctionId, const Auction, &Auction::id> byId;
  Index<std::string_view, const Auction, &Auction::name> byName;
  std::map<Ending, const Auction*> open;
};

}  // namespace gavel::auction
