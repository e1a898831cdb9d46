#include "tail/queries.h"

#include <algorithm>
#include <map>

namespace gavel::tail {
namespace {

// The most per call, so that answers stay far below the RPC layer's limit.
constexpr std::uint32_t MAX_AUCTIONS = 1000;
constexpr std::uint32_t MAX_VERSIONS = 2000;

// How many queries may wait for a confirm (R13).
constexpr std::size_t MAX_WAITING = 10'000;

// A limit of 0 means as many as the node likes.
std::uint32_t bounded(std::uint32_t limit, std::uint32_t most) {
  return limit == 0 ? most : std::min(limit, most);
}

void noSuchAuction(kj::StringPtr name, schema::QueryFailure::Builder failure) {
  failure.setReason(schema::QueryFailure::Reason::NO_SUCH_AUCTION);
  failure.setDetail(kj::str("there is no auction \"", name, "\""));
}

}  // namespace

void writeUnavailable(schema::QueryFailure::Builder failure, kj::StringPtr detail) {
  failure.setReason(schema::QueryFailure::Reason::UNAVAILABLE);
  failure.setDetail(detail);
}

kj::Promise<std::uint64_t> Queries::confirmed() {
  if (replica.unconfirmed() >= MAX_WAITING) {
    return KJ_EXCEPTION(OVERLOADED, "overloaded: too many queries wait; try again later");
  }
  return replica.confirmed();
}

// Calls `use` with the auction, which is in memory, or over and in the store only.  Returns false
// if there is none.
template <typename Use>
bool Queries::withAuction(std::string_view name, Use use) {
  if (auto* inMemory = replica.state().findAuction(name)) {
    use(*inMemory);
    return true;
  }
  auto ended = replica.store().ended().find(name);
  if (ended) use(*ended);
  return ended.has_value();
}

kj::Promise<void> Queries::answer(std::uint64_t epoch, kj::StringPtr name, Answer::Builder answer,
                                  bool withTerms) {
  auto basis = this->basis();
  bool found = withAuction({name.begin(), name.size()}, [&](const auction::Auction& auction) {
    auto builder = answer.initAuction();
    wire::writeAuction(auction, replica.state(), basis, builder);
    if (withTerms) wire::writeTermsOf(auction, builder.initTerms());
  });
  if (!found) noSuchAuction(name, answer.initFailure());
  return replica.whenCommitted(basis.index, epoch);
}

kj::Promise<void> Queries::result(std::uint64_t epoch, kj::StringPtr auction,
                                  Answer::Builder builder) {
  return answer(epoch, auction, builder, false);
}

kj::Promise<void> Queries::show(std::uint64_t epoch, kj::StringPtr auction,
                                Answer::Builder builder) {
  return answer(epoch, auction, builder, true);
}

// Auctions in memory are copied now, and the store is read as it is now.  So one that leaves memory
// meanwhile is not missed.
kj::Promise<void> Queries::list(std::uint64_t epoch, schema::Auctioneer::ListParams::Reader params,
                                schema::Auctioneer::ListResults::Builder results) {
  auto& state = replica.state();
  auto basis = this->basis();
  std::size_t limit = bounded(params.getLimit(), MAX_AUCTIONS);
  std::map<auction::AuctionId, auction::Auction> found;
  for (auto* auction: state.listAuctions(params.getAfter(), limit + 1)) {
    found.emplace(auction->id, *auction);
  }
  return canceler.wrap(replica.store().auctions(params.getAfter(), limit + 1))
      .then([this, limit, results, basis, epoch,
             found = kj::mv(found)](std::vector<auction::Auction> stored) mutable {
        // The state may have been dropped meanwhile, and with it the bidders of what was copied.
        if (!replica.actsIn(epoch)) return replica.whenCommitted(basis.index, epoch);
        for (auto& auction: stored) {
          // What was in memory is newer, and stays.
          auto id = auction.id;
          found.emplace(id, kj::mv(auction));
        }
        auto count = std::min(limit, found.size());
        auto list = results.initAuctions(static_cast<unsigned>(count));
        auto next = found.begin();
        for (unsigned i = 0; i < count; ++i, ++next) {
          wire::writeAuction(next->second, replica.state(), basis, list[i]);
        }
        results.setMore(found.size() > limit);
        return replica.whenCommitted(basis.index, epoch);
      });
}

std::optional<std::uint64_t> Queries::latestVersion(kj::StringPtr auction) {
  std::optional<std::uint64_t> latest;
  withAuction({auction.begin(), auction.size()},
              [&](const auction::Auction& found) { latest = found.version(); });
  return latest;
}

kj::Promise<void> Queries::history(std::uint64_t epoch, kj::StringPtr name,
                                   std::uint64_t fromVersion, std::uint32_t limit,
                                   schema::History::Builder results) {
  auto basis = replica.state().lastIndex();
  auto from = std::max<std::uint64_t>(1, fromVersion);
  std::uint64_t most = bounded(limit, MAX_VERSIONS);
  std::uint64_t available = 0;
  std::uint64_t inStore = 0;  // How many of the wanted versions are in the store only.
  auction::AuctionId id = 0;
  std::vector<auction::Version> newer;
  bool found = withAuction({name.begin(), name.size()}, [&](const auction::Auction& auction) {
    id = auction.id;
    available = auction.version() >= from ? auction.version() - from + 1 : 0;
    auto end = from + std::min(available, most);
    inStore = auction.released >= from ? std::min(auction.released + 1, end) - from : 0;
    for (auto number = from + inStore; number < end; ++number) {
      newer.push_back(*auction.findVersion(number));
    }
  });
  if (!found) {
    noSuchAuction(name, results.initFailure());
    return replica.whenCommitted(basis, epoch);
  }
  kj::Promise<std::vector<auction::Version>> older = std::vector<auction::Version>();
  if (inStore > 0) older = canceler.wrap(replica.store().history(id, from, inStore));
  return older.then([this, results, basis, epoch, from, available,
                     newer = kj::mv(newer)](std::vector<auction::Version> versions) mutable {
    if (!replica.actsIn(epoch)) return replica.whenCommitted(basis, epoch);
    versions.insert(versions.end(), newer.begin(), newer.end());
    auto list = results.initVersions(static_cast<unsigned>(versions.size()));
    for (unsigned i = 0; i < list.size(); ++i) {
      wire::writeVersion(from + i, versions[i], replica.state(), list[i]);
    }
    results.setMore(available > versions.size());
    return replica.whenCommitted(basis, epoch);
  });
}

}  // namespace gavel::tail
