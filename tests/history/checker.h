#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/history/history.h"

// Says whether a recorded history could have come from a correct auction service: for each auction,
// from one that executes one operation at a time, each at some moment between its begin and its
// end, by the rules of the auction (linearizability: Herlihy & Wing, 1990).
//
// - An operation whose outcome is unknown happened once, at any time after its begin (even after
//   all else), or not at all.
// - An auction may also end by itself, once, by a change with a stamp at or after its deadline.
// - The history is judged with the final history of each auction, which is needed: what was
//   acknowledged is there once, as it was told; what was refused is not, nor what nobody asked for.
//   It must have been read after all operations on that auction with a known outcome had ended.
// - A name obeys one credential: an impostor is refused, and nobody else is.
// - All auctions share one log: what was told of all of them together agrees with executing it in
//   the order of its indexes, and stamps never go back there.
//
// The verdict is exact.  Since the final history names all changes and their order, what remains to
// be found are moments at which the changes happened: each change, and each answer that shows it,
// bounds these from above or below, and bounds that leave room for all of them are all there is to
// it.  That takes n log n steps.
namespace gavel::history {

struct Violation {
  std::string auction;  // Empty: about several.
  // What was broken, and by which operations.
  std::string text;
};

struct Verdict {
  // The first found for each auction.
  std::vector<Violation> violations;
  std::size_t operations = 0;
  std::size_t auctions = 0;
  // Of the operations: those with an unknown outcome, and how many of these turned out to have
  // happened.
  std::size_t unknown = 0;
  std::size_t unknownApplied = 0;

  bool linearizable() const { return violations.empty(); }
  // All violations, one per line, at most `most`; "linearizable" if there are none.
  std::string text(std::size_t most = 10) const;
};

Verdict check(const History& history);

}  // namespace gavel::history
