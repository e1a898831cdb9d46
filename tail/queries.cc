#include "tail/queries.h"

#include <algorithm>

#include "chain/entry-codec.h"

namespace gavel::tail {
namespace {

// Per call, so that answers stay far below the RPC layer's limit.
constexpr std::uint32_t MAX_AUCTIONS = 1000;
constexpr std::uint32_t MAX_VERSIONS = 2000;

// 0 means as many as the node likes.
std::uint32_t bounded(std::uint32_t limit, std::uint32_t most) {
  return limit == 0 ? most : std::min(limit, most);
}

void noSuchAuction(kj::StringPtr name, schema::QueryFailure::Builder failure) {
  failure.setReason(schema::QueryFailure::Reason::NO_SUCH_AUCTION);
  failure.setDetail(kj::str("there is no auction \"", name, "\""));
}

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

void writeTerms(const auction::Auction& auction, schema::Terms::Builder builder) {
  auction::Terms terms;
  terms.item = auction.item;
  terms.duration = auction.duration;
  terms.startingPrice = auction.startingPrice;
  terms.increment = auction.increment;
  if (auction.hardEnd != 0) {
    terms.softClose = {auction.softCloseWindow, auction.softCloseExtension,
                       auction.hardEnd - auction.created};
  }
  chain::encodeTerms(terms, builder);
}

}  // namespace

void writeUnavailable(schema::QueryFailure::Builder failure, kj::StringPtr detail) {
  failure.setReason(schema::QueryFailure::Reason::UNAVAILABLE);
  failure.setDetail(detail);
}

kj::Promise<void> Queries::confirmed() {
  return replica.whenReadable();
}

void Queries::view(const auction::Auction& auction, schema::AuctionView::Builder view) const {
  auto& state = replica.state();
  view.setId(auction.id);
  view.setName(auction.name.c_str());
  view.setVersion(auction.version());
  view.setDeadline(auction.deadline);
  view.setCreated(auction.created);
  view.setNow(clock.now());
  view.setBids(bidCount(auction));
  view.setOwner(state.bidder(auction.owner).name.c_str());
  view.setIndex(state.lastIndex());
  switch (auction.phase) {
    case auction::Auction::Phase::open: {
      auto open = view.initState().initOpen();
      open.setHighest(auction.highest);
      if (auction.highest != 0) {
        open.setHighestBidder(state.bidder(auction.highestBidder).name.c_str());
      }
      open.setNextValid(auction.nextValid());
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

kj::Promise<void> Queries::answer(kj::StringPtr name, Answer::Builder answer,
                                  bool withTerms) const {
  auto& state = replica.state();
  auto* auction = state.findAuction({name.begin(), name.size()});
  if (auction == nullptr) {
    noSuchAuction(name, answer.initFailure());
  } else {
    auto builder = answer.initAuction();
    view(*auction, builder);
    if (withTerms) writeTerms(*auction, builder.initTerms());
  }
  return replica.whenCommitted(state.lastIndex());
}

kj::Promise<void> Queries::result(kj::StringPtr auction, Answer::Builder builder) const {
  return answer(auction, builder, false);
}

kj::Promise<void> Queries::show(kj::StringPtr auction, Answer::Builder builder) const {
  return answer(auction, builder, true);
}

kj::Promise<void> Queries::list(schema::Auctioneer::ListParams::Reader params,
                                schema::Auctioneer::ListResults::Builder results) const {
  auto& state = replica.state();
  auto limit = bounded(params.getLimit(), MAX_AUCTIONS);
  auto found = state.listAuctions(params.getAfter(), limit + std::size_t{1});
  bool more = found.size() > limit;
  if (more) found.pop_back();
  auto list = results.initAuctions(static_cast<unsigned>(found.size()));
  for (unsigned i = 0; i < list.size(); ++i) view(*found[i], list[i]);
  results.setMore(more);
  return replica.whenCommitted(state.lastIndex());
}

kj::Promise<void> Queries::history(schema::Auctioneer::HistoryParams::Reader params,
                                   schema::Auctioneer::HistoryResults::Builder results) const {
  auto& state = replica.state();
  auto* auction = state.findAuction(chain::view(params.getAuction()));
  if (auction == nullptr) {
    noSuchAuction(params.getAuction(), results.initFailure());
    return replica.whenCommitted(state.lastIndex());
  }
  auto from = std::max<std::uint64_t>(1, params.getFromVersion());
  auto available = auction->version() >= from ? auction->version() - from + 1 : 0;
  auto count = std::min<std::uint64_t>(available, bounded(params.getLimit(), MAX_VERSIONS));
  auto versions = results.initVersions(static_cast<unsigned>(count));
  for (unsigned i = 0; i < count; ++i) {
    auto& version = *auction->findVersion(from + i);
    auto to = versions[i];
    to.setVersion(from + i);
    to.setStamp(version.stamp);
    to.setIndex(version.index);
    to.setKind(kindOf(version.kind));
    if (version.bidder != 0) to.setWho(state.bidder(version.bidder).name.c_str());
    to.setAmount(version.amount);
    to.setDeadline(version.deadline);
  }
  results.setMore(available > count);
  return replica.whenCommitted(state.lastIndex());
}

}  // namespace gavel::tail
