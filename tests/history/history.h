#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

// The requests of clients to a chain, with their times and answers: the evidence that a checker
// judges.
//
// All times are nanoseconds of one clock that all clients share.  It has nothing to do with the
// chain's stamps.  All of this is plain data, which can be written to a file and read back.
namespace gavel::history {

// The end of an operation that has not ended.
constexpr std::int64_t NEVER = std::numeric_limits<std::int64_t>::max();

enum class Kind : std::uint8_t { create, bid, close, cancel, result };

// Like schema::Terms, without the item.
struct Terms {
  std::int64_t duration = 0;
  std::int64_t startingPrice = 0;
  std::int64_t reserve = 0;
  bool percent = false;  // `increment` is in hundredths of a percent, else absolute.
  std::int64_t increment = 1;
  // The soft close; all 0 if there is none.
  std::int64_t window = 0;
  std::int64_t extension = 0;
  std::int64_t hardEnd = 0;

  bool operator==(const Terms&) const = default;
};

// The outcome of an operation, as far as its client knows.
struct Outcome {
  enum class Kind : std::uint8_t {
    // It was asked and not definitely answered.  A create, bid, close or cancel may have taken
    // effect, or may still do so.  A result has seen nothing.
    unknown,
    // It certainly did not take effect, and never will.
    notApplied,
    // An answer that a correct client never gets: `detail`.
    unexpected,

    // create, bid, close, cancel.
    success,  // `version`, `index`, `stamp`, `deadline`.
    notYours,
    // bid, close, cancel.
    closed,
    // All but create.
    noSuchAuction,
    // create.
    alreadyExists,
    // bid.
    tooLow,  // `amount` is the highest bid, `nextValid`.
    belowStart,

    // A result, always with `version` and, unless 0, `index`: the index of the log as of which it
    // answers.
    open,  // `amount` (0: no bid yet), `who`, `nextValid`, `deadline`, `due`.
    sold,  // `amount` is the price, `who` the winner.
    noSale,
    cancelled,
  };

  Kind kind = Kind::unknown;
  std::uint64_t version = 0;
  std::uint64_t index = 0;
  std::int64_t stamp = 0;
  std::int64_t deadline = 0;
  std::int64_t amount = 0;
  std::int64_t nextValid = 0;
  bool due = false;  // The deadline has passed, and only the closing can follow.
  std::string who;
  std::string detail;

  bool operator==(const Outcome&) const = default;
};

// One request of a client with all attempts at it.  Asking again by its request id is the same
// operation.
struct Operation {
  std::uint32_t client = 0;  // The recording client, for people.
  Kind kind = Kind::result;
  std::string auction;
  // The name of the asker; empty for a result.
  std::string who;
  // Whether it showed another credential than the one to which the name was bound by then.
  bool impostor = false;
  std::int64_t amount = 0;  // bid.
  Terms terms;              // create.
  std::int64_t invoked = 0;
  // When its client learnt the outcome, or gave up.
  std::int64_t returned = NEVER;
  Outcome outcome;

  bool operator==(const Operation&) const = default;
};

// An accepted change of an auction: schema::Version.
struct Version {
  enum class Kind : std::uint8_t { created, bid, closed, cancelled };

  std::uint64_t version = 0;
  Kind kind = Kind::created;
  std::string who;
  std::int64_t amount = 0;
  std::uint64_t index = 0;
  std::int64_t stamp = 0;
  std::int64_t deadline = 0;

  bool operator==(const Version&) const = default;
};

// The versions of an auction as they were read when all operations on it had ended.
struct FinalHistory {
  std::string auction;
  std::int64_t invoked = 0;
  std::int64_t returned = NEVER;
  std::vector<Version> versions;  // None: there is no such auction.

  bool operator==(const FinalHistory&) const = default;
};

// For people: "bid of 120 on hot-1 by ann (client 3, 10.000000 to 10.000125 s): success, version
// 3".
std::string describe(const Operation& operation);
std::string describe(const Version& version);

// Grows while clients record their operations.
class History {
public:
  using Id = std::size_t;

  // Records that an operation begins at its `invoked`; it has not ended.
  Id begin(Operation operation);
  // Records the outcome of an operation.  One that ended with an unknown outcome may end again, if
  // it was asked again.
  void end(Id id, std::int64_t returned, Outcome outcome);
  // Adds an operation with its end.
  Id add(Operation operation);
  // There is one per auction.
  void add(FinalHistory final);

  // Returns `now`, or a little later, so that no two moments of a history are the same.  The
  // checker takes operations at the same time for concurrent.
  std::int64_t moment(std::int64_t now);

  // In the order in which they began.
  const std::vector<Operation>& operations() const { return operations_; }
  const std::vector<FinalHistory>& finals() const { return finals_; }

  bool operator==(const History& other) const {
    return operations_ == other.operations_ && finals_ == other.finals_;
  }

private:
  std::vector<Operation> operations_;
  std::vector<FinalHistory> finals_;
  std::int64_t lastMoment = 0;
};

}  // namespace gavel::history
