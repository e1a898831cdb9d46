#include "wire/views.h"

#include "wire/terms.h"

namespace gavel::wire {
namespace {

schema::Version::Kind kindOf(auction::Version::Kind kind) {
  switch (kind) {
    case auction::Version::Kind::created:
      return schema::Version::Kind::CREATED;
    case auction::Version::Kind::bid:
      return schema::Version::Kind::BID;
    case auction::Version::Kind::closed:
      return schema::Version::Kind::CLOSED;
    case auction::Version::Kind::cancelled:
      return schema::Version::Kind::CANCELLED;
  }
  return schema::Version::Kind::CREATED;
}

std::uint64_t bidCount(const auction::Auction& auction) {
  auto others = auction.phase == auction::Auction::Phase::open ? 1 : 2;  // created; closed.
  return auction.version() - others;
}

}  // namespace

void writeAuction(const auction::Auction& auction, const auction::State& state, const Basis& basis,
                  schema::AuctionView::Builder view) {
  view.setId(auction.id);
  view.setName(auction.name.c_str());
  view.setVersion(auction.version());
  view.setDeadline(auction.deadline);
  view.setCreated(auction.created);
  view.setNow(basis.now);
  view.setBids(bidCount(auction));
  view.setOwner(state.bidder(auction.owner).name.c_str());
  view.setIndex(basis.index);
  switch (auction.phase) {
    case auction::Auction::Phase::open: {
      auto open = view.initState().initOpen();
      open.setHighest(auction.highest);
      if (auction.highest != 0) {
        open.setHighestBidder(state.bidder(auction.highestBidder).name.c_str());
      }
      // By the log and not by a clock, so that everybody who asks gets the same answer (R16).
      bool due = auction.due(basis.stamp);
      open.setDue(due);
      open.setNextValid(due ? 0 : auction.nextValid());
      return;
    }
    case auction::Auction::Phase::closed:
      if (auction.sold()) {
        auto sold = view.initState().initSold();
        sold.setPrice(auction.highest);
        sold.setWinner(state.bidder(auction.highestBidder).name.c_str());
      } else {
        view.initState().setNoSale();
      }
      return;
    case auction::Auction::Phase::cancelled:
      view.initState().setCancelled();
      return;
  }
}

void writeTermsOf(const auction::Auction& auction, schema::Terms::Builder builder) {
  auction::Terms terms;
  terms.item = auction.item;
  terms.duration = auction.duration;
  terms.startingPrice = auction.startingPrice;
  terms.increment = auction.increment;
  if (auction.hardEnd != 0) {
    terms.softClose = {auction.softCloseWindow, auction.softCloseExtension,
                       auction.hardEnd - auction.created};
  }
  writeTerms(terms, builder);
}

void writeVersion(std::uint64_t number, const auction::Version& version,
                  const auction::State& state, schema::Version::Builder builder) {
  builder.setVersion(number);
  builder.setStamp(version.stamp);
  builder.setIndex(version.index);
  builder.setKind(kindOf(version.kind));
  if (version.bidder != 0) {
    builder.setWho(state.bidder(version.bidder).name.c_str());
  }
  builder.setAmount(version.amount);
  builder.setDeadline(version.deadline);
}

}  // namespace gavel::wire
