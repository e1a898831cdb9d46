#include "tests/planted/table.h"

namespace gavel::plants {

const std::vector<Plant>& allPlants() {
  static const std::vector<Plant> ALL = {
      {Bug::obeyOldLinks, "obey-old-links", "R1", 300},
      {Bug::restartInPlace, "restart-in-place", "R2", 300},
      {Bug::countReadAsDurable, "count-read-as-durable", "R2", 300},
      {Bug::announceBeforeStore, "announce-before-store", "R3", 300},
      {Bug::reorderMembers, "reorder-members", "R3", 300},
      {Bug::answerBeforeCommit, "answer-before-commit", "R5", 300},
      {Bug::keepNumbersOfOldEpoch, "keep-numbers-of-old-epoch", "R5", 300},
      {Bug::tellNumberUnheard, "tell-number-unheard", "R5", 300},
      {Bug::answerBehindBarrier, "answer-behind-barrier", "R6", 300},
      {Bug::forgetRequests, "forget-requests", "R7", 300},
      {Bug::rejectOnUncommitted, "reject-on-uncommitted", "R8", 300},
      {Bug::skipGate, "skip-gate", "R9", 300},
      {Bug::gateBeforeCaughtUp, "gate-before-caught-up", "R9", 300},
      {Bug::gateBehindBarrier, "gate-behind-barrier", "R9", 300},
      {Bug::takeGateOfOldEpoch, "take-gate-of-old-epoch", "R9", 300},
      {Bug::truncateNothing, "truncate-nothing", "R9", 300},
      {Bug::readWithoutConfirm, "read-without-confirm", "R10", 300},
      {Bug::confirmByNeighbour, "confirm-by-neighbour", "R10", 300},
      {Bug::joinConfirmAsAsker, "join-confirm-as-asker", "R10", 300},
      {Bug::joinConfirmAsRelay, "join-confirm-as-relay", "R10", 300},
      {Bug::joinerAsSource, "joiner-as-source", "R11", 300},
      {Bug::formerMemberAsSource, "former-member-as-source", "R11", 300},
      {Bug::stampByClockAlone, "stamp-by-clock-alone", "R15", 300},
  };
  return ALL;
}

}  // namespace gavel::plants
