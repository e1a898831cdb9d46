#pragma once

#include <string_view>
#include <vector>

namespace gavel::model {

// One rule weakened.
enum class Variant {
  none,
  answerBeforeCommit,
  skipEpochCheck,
  readWithoutConfirm,
  confirmNeighbourOnly,
  confirmBeforeQuery,
  relayJoinsConfirm,
  rejectOnUncommitted,
  noGate,
  gateBeforeCaughtUp,
  gateBeforeBarrier,
  gateOfOlderEpoch,
  noBarrier,
  keepNumbers,
  passUnheard,
  joinerIsSource,
  olderMemberIsSource,
  reorder,
  announceFirst,
  restartInPlace,
  readIsDurable,
  noCut,
  cutAfterRestartOnly,
  joinerNotAsked,
  joinerDurableBeforeCut,
  gateGivenUp,
  readBelowCommit,
  keepUpstream,
  toHeadBeforeCommit,
  barrierForNewTailOnly,
  toHeadOfOlderEpoch,
  noBound,
  boundAboveCommit,
  boundBlocksRecover,
  orderNotRepeated,
  ackInShortEpoch,
  rebuildWithoutPromise,
  rebuildIgnoresJoiner,
};

// What may happen in a run.  Everything else is unbounded.
struct Bounds {
  int slots = 3;  // Nodes.
  int chain = 3;  // So many of them are the first configuration.
  int bids = 1;
  int epochs = 3;   // Configurations stored, the first one included.
  int crashes = 0;  // Of a process or of its machine's power.
  bool reads = true;
  int copies = 0;  // Older copies of stores that take their places.
  int orders = 0;  // Of operators who give up what other stores hold.
  int least = 1;   // Members that have to serve (R18).
  int rounds = 0;  // Of asking for promises, until a master that is lost is made anew (R3).

  bool keepBounds() const { return copies > 0 || orders > 0; }
};

struct VariantInfo {
  Variant variant;
  std::string_view name;  // For the command line.
  std::string_view rule;  // That is weakened.
  std::string_view text;
  // In which it shows.
  Bounds bounds;
  // What is found there is not yet what a client gets to see: that takes more than CI has time for.
  bool inner = false;
  // Nothing is known to break.
  bool harmless = false;
};

const std::vector<VariantInfo>& variants();
const VariantInfo* findVariant(std::string_view name);

}  // namespace gavel::model
