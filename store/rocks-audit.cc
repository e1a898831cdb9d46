#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "auction/digest.h"
#include "auction/records.h"
#include "store/rocks-read.h"

namespace gavel {
namespace {

[[noreturn]] void fail(std::string_view key, const std::string& what) {
  throw std::runtime_error("the record with " + auction::describeKey(key) + " is bad: " + what);
}

// What the records of an auction's history and name have to fit with.
struct Expected {
  std::string name;
  std::uint64_t versions = 0;  // The versions that have records of their own.
  std::vector<auction::Version> others;
  std::uint64_t digest = 0;  // The digest of all versions.
  std::uint64_t seen = 0;
  std::uint64_t seenDigest = 0;
  bool named = false;
};

// Checks what a Loader does not: auctions that are over, histories, names.
class Audit {
public:
  void add(std::string_view key, std::string_view value) {
    switch (auction::kindOf(key)) {
      case auction::RecordKind::auction:
        return addAuction(key, auction::decodeAuction(value));
      case auction::RecordKind::endedAuction: {
        auto over = auction::decodeAuction(value);
        if (over.phase == auction::Auction::Phase::open) fail(key, "it is open");
        ended.add(over);
        return addAuction(key, over);
      }
      case auction::RecordKind::versions:
        return addVersions(key, value);
      case auction::RecordKind::totals:
        totals = auction::decodeTotals(value);
        return;
      case auction::RecordKind::name:
        return addName(key, auction::decodeName(value));
      case auction::RecordKind::bidder:
      case auction::RecordKind::session:
        return;
    }
  }

  void finish() {
    if (auctions.size() != totals.auctions) {
      throw std::runtime_error(std::to_string(auctions.size()) + " auctions, but the totals say " +
                               std::to_string(totals.auctions));
    }
    if (ended != totals.ended) {
      throw std::runtime_error(
          "the auctions that are over have another digest than the totals say");
    }
    for (auto& [id, auction]: auctions) {
      for (auto& version: auction.others) {
        auction.seenDigest = auction::digestAfter(auction.seenDigest, version);
      }
      if (auction.seen != auction.versions || auction.seenDigest != auction.digest) {
        throw std::runtime_error("the history of auction " + std::to_string(id) + " has " +
                                 std::to_string(auction.seen) + " versions of " +
                                 std::to_string(auction.versions) + ", or other ones");
      }
      if (!auction.named) {
        throw std::runtime_error("the name of auction " + std::to_string(id) + " is missing");
      }
    }
  }

private:
  std::map<auction::AuctionId, Expected> auctions;
  auction::DigestSum ended;
  auction::Totals totals;

  void addAuction(std::string_view key, const auction::Auction& auction) {
    if (auction.id != auction::idOf(key)) fail(key, "it has another id");
    Expected expected{auction.name, auction.versionsApart(), auction.history,
                      auction.historyDigest};
    if (!auctions.emplace(auction.id, std::move(expected)).second) {
      fail(key, "it is there both open and over");
    }
  }
  // Keys are in order, so all auctions have come by now.
  Expected& find(std::string_view key, auction::AuctionId id) {
    auto found = auctions.find(id);
    if (found == auctions.end()) fail(key, "there is no such auction");
    return found->second;
  }
  void addVersions(std::string_view key, std::string_view value) {
    auto id = auction::idOf(key);
    auto& expected = find(key, id);
    auto versions = auction::decodeVersions(value);
    expected.seen += versions.size();
    if (key != auction::versionsKey(id, expected.seen)) fail(key, "one before it is missing");
    for (auto& version: versions) {
      expected.seenDigest = auction::digestAfter(expected.seenDigest, version);
    }
  }
  void addName(std::string_view key, auction::AuctionId id) {
    auto& expected = find(key, id);
    if (key != auction::nameKey(expected.name)) fail(key, "the auction has another name");
    expected.named = true;
  }
};

}  // namespace

void auditRecords(const RocksDatabase& database, const auction::EndedAuctions& ended,
                  std::uint64_t index) {
  auction::Loader loader;
  Audit audit;
  for (RecordCursor records(database); records.valid(); records.next()) {
    loader.add(records.key(), records.value());
    audit.add(records.key(), records.value());
  }
  auto state = loader.finish(ended);
  audit.finish();
  if (state.lastIndex() != index) {
    throw std::runtime_error("they are as of index " + std::to_string(state.lastIndex()) +
                             ", not of " + std::to_string(index));
  }
}

}  // namespace gavel
