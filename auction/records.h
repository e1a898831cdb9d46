#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auction/auction.h"
#include "auction/digest.h"
#include "auction/ended-auctions.h"
#include "auction/sessions.h"
#include "auction/state.h"

// The state as records for a store: a key and a value each.  Ids are 8 bytes big-endian, so that
// records of a kind are in order of their ids.
//
//   key             value
//   'a' id          an auction that is open, with the versions     Auction
//                   of its history that no 'h' has
//   'b' id          a bidder                                       Bidder
//   'e' id          an auction that is over                        Auction
//   'h' id version  an auction's versions from the record before   several Versions, in order
//                   this one up to that version: all but the
//                   last few (VERSIONS_TOGETHER), if it is open
//   'm'             what there is of everything, and as of when    Totals
//   'n' name        which auction has this name                    its id, 8 bytes big-endian
//   's' id          a session with its request records             Session
//
// with values laid out as fields.h lists them and archive.h encodes them.  What is in memory is
// made from 'a', 'b', 'm' and 's' (Loader); the others are for who asks by name or for history.
//
// Several records in bytes follow each other as
//
//   key length  u32 little-endian
//   key
//   value length  u32 little-endian; 0xffffffff: there is no such record any more
//   value
//
// There is no checksum: who stores or sends records has one of its own, and State::hash() tells two
// states apart.
namespace gavel::auction {

constexpr std::uint32_t RECORD_FORMAT = 3;

// What the other records have to add up to.
struct Totals {
  std::uint32_t format = RECORD_FORMAT;
  std::uint64_t lastIndex = 0;
  Stamp lastStamp = 0;
  std::uint64_t auctions = 0;  // Ever made.
  std::uint64_t live = 0;      // Of these, open.
  std::uint64_t bidders = 0;
  std::uint64_t sessions = 0;
  DigestSum ended;  // Of the auctions that are over.
};

// -- keys

enum class RecordKind : char {
  auction = 'a',
  bidder = 'b',
  endedAuction = 'e',
  versions = 'h',
  totals = 'm',
  name = 'n',
  session = 's',
};

constexpr std::string_view TOTALS_KEY = "m";
std::string auctionKey(AuctionId id);
std::string bidderKey(BidderId id);
std::string endedKey(AuctionId id);
// `last` of those that the record holds, so that the record with a version is the first one whose
// key is not below its own.
std::string versionsKey(AuctionId id, std::uint64_t last);
std::string nameKey(std::string_view name);
std::string sessionKey(std::uint64_t id);

// Throw std::runtime_error if it is no key of a record.
RecordKind kindOf(std::string_view key);
// The first id of a key that has one.
std::uint64_t idOf(std::string_view key);
// For messages.
std::string describeKey(std::string_view key);

// -- values

// Append one value to `bytes`.
void encode(const Auction& auction, std::string& bytes);
void encode(const Bidder& bidder, std::string& bytes);
void encode(const Session& session, std::string& bytes);
void encode(std::span<const Version> versions, std::string& bytes);
void encode(const Totals& totals, std::string& bytes);
std::string encodeName(AuctionId id);

// Read the one value that `bytes` is.  Throw std::runtime_error if it is anything else; whether it
// makes sense is for findDamage() to say (integrity.h).
Auction decodeAuction(std::string_view bytes);
Bidder decodeBidder(std::string_view bytes);
Session decodeSession(std::string_view bytes);
std::vector<Version> decodeVersions(std::string_view bytes);
Totals decodeTotals(std::string_view bytes);
AuctionId decodeName(std::string_view bytes);

// Takes the versions from `first` on, `count` at most, of one auction's history out of the records
// that have them.
class VersionsPage {
public:
  VersionsPage(AuctionId auction, std::uint64_t first, std::uint64_t count)
      : auction(auction), first(first), count(count) {}

  // The record that has the first one is the first whose key is not below this.
  std::string firstKey() const { return versionsKey(auction, first); }
  bool complete() const { return versions_.size() == count; }
  // The next record in order.  Returns false, and takes nothing, if it does not go on with the
  // versions.  Throws std::runtime_error if it makes no sense.
  bool add(std::string_view key, std::string_view value);

  std::vector<Version>& versions() { return versions_; }

private:
  AuctionId auction;
  std::uint64_t first;
  std::uint64_t count;
  std::vector<Version> versions_;
};

// -- several in bytes

// Appends records to `bytes`, which must outlive it.
class RecordWriter {
public:
  explicit RecordWriter(std::string& bytes): bytes(bytes) {}

  // Throws std::length_error for a key or value of 4 GiB.
  void put(std::string_view key, std::string_view value);
  void remove(std::string_view key);
  // Like put(), with the value encoded in its place.
  template <class Value>
  void encode(std::string_view key, const Value& value) {
    const std::size_t start = begin(key);
    auction::encode(value, bytes);
    end(start);
  }

private:
  std::string& bytes;

  std::size_t begin(std::string_view key);
  void end(std::size_t start);
};

// Reads what a RecordWriter wrote.  `bytes` must outlive it and what it returns.
class RecordReader {
public:
  struct Record {
    std::string_view key;
    std::optional<std::string_view> value;  // Null: removed.
  };

  explicit RecordReader(std::string_view bytes): rest(bytes), total(bytes.size()) {}

  // The next record; null at the end.  Throws std::runtime_error that names the offset if there is
  // something else.
  std::optional<Record> next();

private:
  std::string_view rest;
  std::size_t total;

  std::uint32_t readSize(std::string_view what);
  std::string_view take(std::size_t size, std::string_view what);
};

// -- back to a state

// Makes a state from its records, which come in any order, each key once.  All that can be wrong
// with them is told by std::runtime_error with the record's key and what is wrong; after that the
// loader must not be used.
class Loader {
public:
  // Takes what is for the memory, and only looks at the key of the other kinds.
  void add(std::string_view key, std::string_view value);

  // The state, which looks up auctions that are over in `ended`.  It is the empty state if there
  // were no records at all.
  State finish(const EndedAuctions& ended);

private:
  bool any = false;
  std::optional<Totals> totals;
  std::map<AuctionId, Auction> auctions;
  std::map<BidderId, Bidder> bidders;
  std::map<std::uint64_t, Session> sessions;
};

}  // namespace gavel::auction
