#pragma once

// Mistakes that can be planted.  tests/planted proves that the simulation, or the enumerator of a
// store's crashes (tests/disk), finds each of them.  Each breaks one rule of docs/design.md, at its
// place in production code, in a line that asks planted().
//
// What is shipped has none of them: planted() is false at compile time, and the line is gone.  Only
// tests/planted compiles the files with such lines a second time, with GAVEL_PLANT_BUGS.  Such
// lines are in .cc files only, since one program of tests/planted has the headers both ways.
namespace gavel {

enum class Bug {
  none,
  // R1
  obeyOldLinks,  // Skips the epoch check: links of an epoch that is over are still obeyed.
  // R2
  restartInPlace,         // A restarted process is the member that it was before.
  countReadAsDurable,     // What a restarted node finds on its disk is durable, synced or not.
  rewriteNothingAtStart,  // What it finds is synced, but not written anew before.
  markBeforeLog,          // The log is noted as durable before it is.
  forgetDirectory,        // The log's directory is never synced.
  takeStaleFrames,        // What a segment held in its former use counts again.
  // R3
  announceBeforeStore,  // A configuration is announced before it is stored.
  reorderMembers,       // Members are sorted by name.
  // R5
  answerBeforeCommit,     // The head answers as soon as it has judged.
  keepNumbersOfOldEpoch,  // Durable numbers of one epoch are used in the next.
  tellUncommitted,        // Watchers get changes that are not committed yet.
  tellNumberUnheard,  // A node passes its durable index on before it has heard its predecessor's.
  // R6
  answerBeforeBarrier,  // A new tail answers at once.
  linkReportBeatsLoss,  // The master acts on a link that is reported without asking both ends.
  confirmIsProgress,    // Whether a link works is judged by confirms, which wait for other hops.
  gateOverDeadPair,     // A joiner is let in though the tail cannot talk to it.
  // R7
  forgetRequests,  // A retry is run again.
  // R8
  rejectOnUncommitted,  // Rejects are answered at once.
  // R9
  skipGate,            // The tail commits without the joiner that it gates.
  gateBeforeCaughtUp,  // The gate is reported though the joiner lacks what is committed.
  gateBeforeBarrier,   // The gate is reported before the tail is past its barrier.
  takeGateOfOldEpoch,  // The master lets a joiner in on a gate of an earlier epoch.
  truncateNothing,     // A joiner keeps what follows the shared position.
  restartUntold,       // Watchers do not get what a joiner applies again after its checkpoint.
  // R10
  readWithoutConfirm,  // Queries are answered without a confirm.
  confirmByNeighbour,  // The predecessor's word is enough: it does not ask onward.
  joinConfirmAsAsker,  // A query joins a confirm that began before the query arrived.
  joinConfirmAsRelay,  // A node that is asked joins a confirm of its own that is under way.
  // R11
  joinerAsSource,        // A member that was still joining goes on after an outage.
  formerMemberAsSource,  // So does a member of an earlier configuration.
  boundAboveCommit,      // A node's log end is what it calls committed.
  boundBlocksRecover,    // Entries that an operator's order gave up still count as committed.
  // R15
  stampByClockAlone,  // A stamp is the head's clock, even if that is before the last stamp.
  skewOfChainTime,    // Chain time is compared with the master's clock, and not the node's clock.
  // R16
  closeAllOnReplay,  // Nodes other than the head close all that is due, whatever the entry's limit.
  // R18
  ackInShortEpoch,  // What too few members have committed is reported as a success.
};

#ifdef GAVEL_PLANT_BUGS
// The mistake that is in force.  It must be set before anything runs.
extern Bug plantedBug;
inline bool planted(Bug bug) {
  return bug == plantedBug;
}
#else
constexpr bool planted(Bug) {
  return false;
}
#endif

}  // namespace gavel
