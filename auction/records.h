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

// The state as records for a store: a key and a value each.  Ids and versions in keys are 8 bytes
// big-endian, so that records of a kind are in order of their ids.
//
//   key             what                                           value
//   'a' id          an open auction                                Auction, which ends with the
//                                                                  versions that no 'h' has
//   'b' id          a bidder                                       Bidder
//   'e' id          an auction that is over                        Auction, without versions
//   'h' id version  the versions of an auction after those of      their count, Versions in order
//                   the 'h' before, up to and including this one
//   'm'             what there is of everything, and as of when    Totals
//   'n' name        which auction has this name                    its id, 8 bytes big-endian
//   's' id          a session with its request records             Session
//
// fields.h lists what is in the values, and archive.h encodes it.  The 'h' of an auction that is
// over hold all its versions.  Those of an open one hold all up to the last multiple of
// VERSIONS_TOGETHER.  What is in memory is made from 'a', 'b', 'm' and 's' (Loader).  The others
// are for looking up names and histories.
//
// Several records in bytes follow each other as
//
//   key length  u32 little-endian
//   key
//   value length  u32 little-endian; 0xffffffff: the record is removed, and no value follows
//   value
//
// There is no checksum: whoever stores or sends records has its own, and State::hash() shows
// whether two states are equal.
namespace gavel::auction {

constexpr std::uint32_t RECORD_FORMAT = 3;

// What the other records have to add up to.
struct Totals {
  std::uint32_t format = RECORD_FORMAT;
  std::uint64_t lastIndex = 0;
  Stamp lastStamp = 0;
  std::uint64_t auctions = 0;  // All that were ever made.
  std::uint64_t live = 0;      // Those of them that are open.
  std::uint64_t bidders = 0;
  std::uint64_t sessions = 0;
  DigestSum ended;  // The sum for the auctions that are over.
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
// `last` is the last version that the record holds.  So version v is in the first record whose key
// is at or after versionsKey(id, v).
std::string versionsKey(AuctionId id, std::uint64_t last);
std::string nameKey(std::string_view name);
std::string sessionKey(std::uint64_t id);

// Throws std::runtime_error if it is no key of a record.
RecordKind kindOf(std::string_view key);
// Returns the id at the start of a key that has one.  Throws std::runtime_error if it is too short.
std::uint64_t idOf(std::string_view key);
// Returns the key as text for messages.
std::string describeKey(std::string_view key);

// -- values

// Append one value to `bytes`.
void encode(const Auction& auction, std::string& bytes);
void encode(const Bidder& bidder, std::string& bytes);
void encode(const Session& session, std::string& bytes);
void encode(std::span<const Version> versions, std::string& bytes);
void encode(const Totals& totals, std::string& bytes);
std::string encodeName(AuctionId id);

// Read the one value that `bytes` consist of.  Throw std::runtime_error if they are anything else.
// findDamage() says whether the value makes sense (integrity.h).
Auction decodeAuction(std::string_view bytes);
Bidder decodeBidder(std::string_view bytes);
Session decodeSession(std::string_view bytes);
std::vector<Version> decodeVersions(std::string_view bytes);
Totals decodeTotals(std::string_view bytes);
AuctionId decodeName(std::string_view bytes);

// Collects the versions of one auction's history from the records that have them: those from
// `first` on, at most `count`.
class VersionsPage {
public:
  VersionsPage(AuctionId auction, std::uint64_t first, std::uint64_t count)
      : auction(auction), first(first), count(count) {}

  // The record that has version `first` is the first one whose key is at or after this.
  std::string firstKey() const { return versionsKey(auction, first); }
  bool complete() const { return versions_.size() == count; }
  // Takes the next record in order.  Returns false, and takes nothing, if it does not have the next
  // version.  Throws std::runtime_error if it makes no sense.
  bool add(std::string_view key, std::string_view value);

  std::vector<Version>& versions() { return versions_; }

private:
  AuctionId auction;
  std::uint64_t first;
  std::uint64_t count;
  std::vector<Version> versions_;
};

// -- several in bytes

// Appends records to `bytes`, which must outlive this object.
class RecordWriter {
public:
  explicit RecordWriter(std::string& bytes): bytes(bytes) {}

  // Throws std::length_error for a key or value of 2^32 - 1 bytes or more.
  void put(std::string_view key, std::string_view value);
  void remove(std::string_view key);
  // Like put(), but encodes the value in its place.
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

// Reads what a RecordWriter wrote.  `bytes` must outlive this object and what it returns.
class RecordReader {
public:
  struct Record {
    std::string_view key;
    std::optional<std::string_view> value;  // Null: removed.
  };

  explicit RecordReader(std::string_view bytes): rest(bytes), total(bytes.size()) {}

  // Returns the next record; null at the end.  Throws std::runtime_error with the offset if
  // something else is there.
  std::optional<Record> next();

private:
  std::string_view rest;
  std::size_t total;

  std::uint32_t readSize(std::string_view what);
  std::string_view take(std::size_t size, std::string_view what);
};

// -- back to a state

// Makes a state from its records, which are added in any order, each key once.  Throws
// std::runtime_error if anything is wrong with them: it says what, and the key if it is about one
// record.  After that the loader must not be used.
class Loader {
public:
  // Takes the record if memory holds its kind; else only checks the key.
  void add(std::string_view key, std::string_view value);

  // Returns the state, which looks up auctions that are over in `ended`.  It is the empty state if
  // there were no records at all.
  State finish(const EndedAuctions& ended);

private:
  bool any = false;
  std::optional<Totals> totals;
  std::map<AuctionId, Auction> auctions;
  std::map<BidderId, Bidder> bidders;
  std::map<std::uint64_t, Session> sessions;
};

}  // namespace gavel::auction
