#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <variant>

// What the replicated log asks the auction state machine to do: the decoded form of one log entry.
//
// Texts are borrowed: they point into the batch that the entry was decoded from.  They must outlive
// the call that they are passed to, and need not live longer.  Everything in `Command` counts as
// the request's payload (R7).
namespace gavel::auction {

// Nanoseconds since the Unix epoch in chain time (R15); differences are nanoseconds as well.
using Stamp = std::int64_t;
using Nanoseconds = std::int64_t;

// Money in an auction's minor unit (cents, say).  Valid amounts are positive.
using Amount = std::int64_t;

// SHA-256 of the secret that a bidder shows with each bid.  The secret itself is never stored.
using CredentialHash = std::array<std::uint8_t, 32>;

// Who asks.  The first bid or create under a name binds the name to the credential.
struct Identity {
  std::string_view name;
  CredentialHash credential{};
};

// The smallest step from one accepted bid to the next.
struct Increment {
  enum class Kind : std::uint8_t { absolute, percent };
  Kind kind = Kind::absolute;
  // absolute: minor units, at least 1.  percent: hundredths of a percent of the highest bid,
  // rounded up to a whole minor unit and at least one.
  std::int64_t value = 1;
};

// "Going, going": an accepted bid stamped within `window` before the deadline moves the deadline to
// at least its stamp + `extension`, never past `hardEnd`.  All three are zero where there is none.
struct SoftClose {
  Nanoseconds window = 0;
  Nanoseconds extension = 0;
  Nanoseconds hardEnd = 0;  // After creation.
};

struct Terms {
  std::string_view item;
  Nanoseconds duration = 0;  // Deadline is the stamp of creation + duration.
  Amount startingPrice = 0;  // 0: any positive amount may start.
  Amount reserve = 0;        // 0: none.  Secret: never part of a result.
  Increment increment;
  SoftClose softClose;
};

// Makes a new session whose id is the entry's index.
struct OpenSession {};
// The highest limit that an entry may have that ends auctions or sessions (R16).
constexpr std::uint32_t MOST_ENDED = 1'000;

// Ends sessions that were last used before `idleSince`, the idlest first, and at most `limit` of
// them.  `limit` is 0 for all, else up to and including MOST_ENDED.  The head proposes it.
struct ExpireSessions {
  Stamp idleSince = 0;
  std::uint32_t limit = 0;
};
struct Bid {
  std::string_view auction;
  Identity bidder;
  Amount amount = 0;
};
struct CreateAuction {
  std::string_view auction;
  Identity owner;
  Terms terms;
};
// Ends an auction before its deadline; the highest bid wins.  Only the owner may.
struct CloseAuction {
  std::string_view auction;
  Identity owner;
};
// Ends an auction without a winner.  Only the owner may.
struct CancelAuction {
  std::string_view auction;
  Identity owner;
};
// Ends the first `limit` open auctions whose deadline is at or before the entry's stamp, by
// deadline and then by id (R16).  `limit` is 0 for all, else up to and including MOST_ENDED.  The
// head proposes it.
struct CloseExpired {
  std::uint32_t limit = 0;
};
// Ends this auction, if it is open and its deadline is at or before the entry's stamp.  The head
// proposes it before it judges a request on that auction, since others may be due before it.
struct CloseDue {
  std::string_view auction;
};
// Changes only the last stamp.  The head of an idle chain proposes it.  So a later head can
// distinguish idleness from a clock that has leapt (R15).
struct Tick {};

using Command = std::variant<OpenSession, ExpireSessions, Bid, CreateAuction, CloseAuction,
                             CancelAuction, CloseExpired, CloseDue, Tick>;

// Names one request for ever (R7).  `session` is 0 for the commands that the head proposes itself
// and for OpenSession: those are not deduplicated.
struct RequestId {
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;  // From 1.
  // The client has the outcome of every sequence below this one: their records may be dropped.
  std::uint64_t lowestIncomplete = 0;
};

struct Entry {
  std::uint64_t index = 0;  // Position in the log, from 1, without gaps.
  Stamp stamp = 0;          // At or after the previous entry's.
  RequestId request;
  Command command;
};

}  // namespace gavel::auction
