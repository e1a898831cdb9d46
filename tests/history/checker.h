#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/history/history.h"

// Decides whether a recorded history could be that of a correct auction service.  Such a service
// executes the operations on each auction one at a time, each at some moment between its begin and
// its end, by the rules of the auction (linearizability: Herlihy & Wing, 1990).
//
// - An operation whose outcome is unknown happened once, at any time after its begin (even after
//   all others), or not at all.
// - An auction may also end by itself, once, by a change with a stamp at or after its deadline.
// - The final history of each auction is needed.  What was acknowledged is there once, as it was
//   reported.  What was refused, or never asked for, is not there.  It must have been read after
//   all operations on that auction with a known outcome had ended.
// - A name has one credential: an impostor is refused, and nobody else is.
// - All auctions share one log: the answers on all of them together agree with executing it in the
//   order of its indexes, and stamps never go back there.
//
// The verdict is exact.  The final history has all changes and their order, so only the moments of
// the changes are unknown.  Each change, and each answer that shows it, bounds such a moment from
// above or below.  The history is right if these bounds leave room for all changes.  This takes n
// log n steps.
namespace gavel::history {

struct Violation {
  std::string auction;  // Empty: it is about several.
  // What was broken, and by which operations.
  std::string text;
};

struct Verdict {
  // The first one found for each auction.
  std::vector<Violation> violations;
  std::size_t operations = 0;
  std::size_t auctions = 0;
  // Operations with an unknown outcome, and how many of them turned out to have happened.
  std::size_t unknown = 0;
  std::size_t unknownApplied = 0;

  bool linearizable() const { return violations.empty(); }
  // All violations, one per line, at most `most`; "linearizable" if there are none.
  std::string text(std::size_t most = 10) const;
};

Verdict check(const History& history);

}  // namespace gavel::history
