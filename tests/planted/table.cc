#include "tests/planted/table.h"

namespace gavel::plants {

// About one seed in a hundred finds the mistakes with high bounds.  The gate of an old epoch and
// the neighbour's word take some hundreds, or more, since a run may have any of twenty kinds of
// faults.  Several things have to happen together:
//
// - keep-numbers-of-old-epoch: a number stays true as long as the chain upstream only shrinks.  It
//   takes a joiner that was lost, another one after the same tail, and no commit meanwhile.
// - answer-before-barrier: a tail is past its barrier as soon as it has heard its predecessor,
//   which has to confirm as well.
// - gate-before-barrier: entries that a joiner lacks are on their way to it, and mostly arrive
//   before anybody asks.
// - restart-untold: a watcher has to be late by more than a join takes, and then to ask the joiner.
// - confirm-by-neighbour: the members that were removed together must still have each other and a
//   reader, who must ask about something that has changed without them.
// - join-confirm-as-asker: links keep their order, and a node that knows of a commit has mostly
//   told the asker.  It takes a slow link towards the asker, and a reader elsewhere.
// - join-confirm-as-relay: this mostly shows as a standstill, since two that ask each other wait
//   for each other.
// - stamp-by-clock-alone: the state machine refuses a stamp that goes back, and the head dies.  It
//   takes a new head whose clock lags, but by less than what keeps it from joining.
// - bound-blocks-recover: the operator's order has to come while others hold more than its source,
//   which is rare.
// - count-read-as-durable: it is planted at the store in memory, which takes the place of the real
//   one.
const std::vector<Plant>& allPlants() {
  static const std::vector<Plant> ALL = {
      {Bug::obeyOldLinks, "obey-old-links", "R1", 300, 168},
      {Bug::restartInPlace, "restart-in-place", "R2", 300, 3},
      {Bug::countReadAsDurable, "count-read-as-durable", "R2", 300, 5},
      {Bug::announceBeforeStore, "announce-before-store", "R3", 300},
      {Bug::reorderMembers, "reorder-members", "R3", 300, 4},
      {Bug::answerBeforeCommit, "answer-before-commit", "R5", 300, 2},
      {Bug::keepNumbersOfOldEpoch, "keep-numbers-of-old-epoch", "R5", 1000, 15},
      {Bug::tellNumberUnheard, "tell-number-unheard", "R5", 300, 2},
      {Bug::tellUncommitted, "tell-uncommitted", "R5", 300, 2},
      {Bug::answerBeforeBarrier, "answer-before-barrier", "R6", 1000, 11},
      {Bug::linkReportBeatsLoss, "link-report-beats-loss", "R6", 1000, 290},
      {Bug::confirmIsProgress, "confirm-is-progress", "R6", 1000, 180},
      {Bug::gateOverDeadPair, "gate-over-dead-pair", "R6", 1000, 20},
      {Bug::forgetRequests, "forget-requests", "R7", 300, 2},
      {Bug::rejectOnUncommitted, "reject-on-uncommitted", "R8", 300, 2},
      {Bug::skipGate, "skip-gate", "R9", 300, 17},
      {Bug::gateBeforeCaughtUp, "gate-before-caught-up", "R9", 300},
      {Bug::gateBeforeBarrier, "gate-before-barrier", "R9", 1000, 108},
      {Bug::takeGateOfOldEpoch, "take-gate-of-old-epoch", "R9", 1000, 148},
      {Bug::truncateNothing, "truncate-nothing", "R9", 300, 14},
      {Bug::restartUntold, "restart-untold", "R9", 3000, 312},
      {Bug::readWithoutConfirm, "read-without-confirm", "R10", 300, 2},
      {Bug::confirmByNeighbour, "confirm-by-neighbour", "R10", 3000, 518},
      {Bug::joinConfirmAsAsker, "join-confirm-as-asker", "R10", 1000, 2},
      {Bug::joinConfirmAsRelay, "join-confirm-as-relay", "R10", 300, 2},
      {Bug::joinerAsSource, "joiner-as-source", "R11", 300},
      {Bug::formerMemberAsSource, "former-member-as-source", "R11", 300},
      {Bug::closeAllOnReplay, "close-all-on-replay", "R16", 300, 5},
      {Bug::stampByClockAlone, "stamp-by-clock-alone", "R15", 1000, 3},
      {Bug::skewOfChainTime, "skew-of-chain-time", "R15", 300, 3},
      {Bug::boundAboveCommit, "bound-above-commit", "R11", 300},
      {Bug::boundBlocksRecover, "bound-blocks-recover", "R11", 1000, 434},
      {Bug::ackInShortEpoch, "ack-in-short-epoch", "R18", 300},
  };
  return ALL;
}

}  // namespace gavel::plants
