#pragma once

#include <concepts>
#include <type_traits>

#include "auction/auction.h"
#include "auction/command.h"
#include "auction/outcome.h"
#include "auction/records.h"
#include "auction/sessions.h"

// The one list of each struct's fields, in the order in which they are written, read and hashed.
// `Archive` is a Writer or a Reader (archive.h).  To change the list of a stored struct changes the
// record format (records.h), and to change that of a command changes fingerprints.  Either needs a
// new chain format (R14).
namespace gavel::auction {

template <class T, class Struct>
concept Fields = std::same_as<std::remove_const_t<T>, Struct>;

// The highest value of each enumeration that is read: anything above it is damage.
constexpr Version::Kind highestValue(Version::Kind) {
  return Version::Kind::cancelled;
}
constexpr Auction::Phase highestValue(Auction::Phase) {
  return Auction::Phase::cancelled;
}
constexpr Increment::Kind highestValue(Increment::Kind) {
  return Increment::Kind::percent;
}
constexpr Outcome::Kind highestValue(Outcome::Kind) {
  return Outcome::Kind::tooManyIncomplete;
}
constexpr Outcome::Argument highestValue(Outcome::Argument) {
  return Outcome::Argument::sequence;
}

// Stored structs.

template <class Archive>
void fields(Archive& archive, Fields<Increment> auto& increment) {
  archive(increment.kind, increment.value);
}

template <class Archive>
void fields(Archive& archive, Fields<Version> auto& version) {
  archive(version.kind, version.stamp, version.index, version.bidder, version.amount,
          version.deadline);
}

// In place of its history, an auction has the count of all its versions and their digest, then the
// versions that have no records of their own.  No count stands before these: it follows from the
// phase and the count of all.
template <class Archive>
void fields(Archive& archive, Fields<Auction> auto& auction) {
  archive(auction.id, auction.name, auction.item, auction.owner, auction.created, auction.duration,
          auction.deadline, auction.hardEnd, auction.startingPrice, auction.reserve,
          auction.increment, auction.softCloseWindow, auction.softCloseExtension, auction.phase,
          auction.highest, auction.highestBidder);
  if constexpr (std::is_const_v<std::remove_reference_t<decltype(auction)>>) {
    archive(auction.version(), auction.historyDigest);
    for (auto number = auction.versionsApart(); number < auction.version(); ++number) {
      archive(auction.history[number - auction.released]);
    }
  } else {
    archive(auction.captured, auction.historyDigest);
    auction.released = Auction::versionsApart(auction.phase, auction.captured);
    auction.history.resize(auction.captured - auction.released);
    for (Version& version: auction.history) archive(version);
  }
}

template <class Archive>
void fields(Archive& archive, Fields<Bidder> auto& bidder) {
  archive(bidder.id, bidder.name, bidder.credential);
}

template <class Archive>
void fields(Archive& archive, Fields<Outcome> auto& outcome) {
  archive(outcome.kind, outcome.argument, outcome.index, outcome.version, outcome.stamp,
          outcome.deadline, outcome.highest, outcome.nextValid);
}

template <class Archive>
void fields(Archive& archive, Fields<RequestRecord> auto& record) {
  archive(record.fingerprint, record.outcome);
}

template <class Archive>
void fields(Archive& archive, Fields<Session> auto& session) {
  archive(session.id, session.lastUsed, session.lastUsedIndex, session.lowestIncomplete,
          session.records);
}

template <class Archive>
void fields(Archive& archive, Fields<DigestSum> auto& sum) {
  archive(sum.low, sum.high);
}

template <class Archive>
void fields(Archive& archive, Fields<Totals> auto& totals) {
  archive(totals.format, totals.lastIndex, totals.lastStamp, totals.auctions, totals.live,
          totals.bidders, totals.sessions, totals.ended);
}

// Commands.  They are only written, and only for their fingerprints.

template <class Archive>
void fields(Archive& archive, const Identity& identity) {
  archive(identity.name, identity.credential);
}

template <class Archive>
void fields(Archive& archive, const SoftClose& soft) {
  archive(soft.window, soft.extension, soft.hardEnd);
}

template <class Archive>
void fields(Archive& archive, const Terms& terms) {
  archive(terms.item, terms.duration, terms.startingPrice, terms.reserve, terms.increment,
          terms.softClose);
}

template <class Archive>
void fields(Archive&, const OpenSession&) {}

template <class Archive>
void fields(Archive& archive, const ExpireSessions& expire) {
  archive(expire.idleSince, expire.limit);
}

template <class Archive>
void fields(Archive& archive, const Bid& bid) {
  archive(bid.auction, bid.bidder, bid.amount);
}

template <class Archive>
void fields(Archive& archive, const CreateAuction& create) {
  archive(create.auction, create.owner, create.terms);
}

template <class Archive>
void fields(Archive& archive, const CloseAuction& close) {
  archive(close.auction, close.owner);
}

template <class Archive>
void fields(Archive& archive, const CancelAuction& cancel) {
  archive(cancel.auction, cancel.owner);
}

template <class Archive>
void fields(Archive& archive, const CloseExpired& expired) {
  archive(expired.limit);
}

template <class Archive>
void fields(Archive& archive, const CloseDue& due) {
  archive(due.auction);
}

template <class Archive>
void fields(Archive&, const Tick&) {}

}  // namespace gavel::auction
