#pragma once

#include <string_view>
#include <vector>

namespace gavel::model {

// Rules, each weakened.
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

// The bounds of a run.  Everything else is unbounded.
struct Bounds {
  int slots = 3;  // Nodes.
  int chain = 3;  // Members of the first configuration.
  int bids = 1;
  int epochs = 3;   // Configurations stored, the first one included.
  int crashes = 0;  // Ends of a process, or losses of its machine's power.
  bool reads = true;
  int copies = 0;  // Older copies that take the places of stores.
  int orders = 0;  // Orders of operators who give up what other stores hold.
  int least = 1;   // Members that have to serve (R18).
  int rounds = 0;  // Rounds of asking for promises until a lost master is made anew (R3).

  bool keepBounds() const { return copies > 0 || orders > 0; }
};

struct VariantInfo {
  Variant variant;
  std::string_view name;  // For the command line.
  std::string_view rule;  // The rule that is weakened.
  std::string_view text;
  // The bounds within which it shows.
  Bounds bounds;
  // Whether it breaks inner properties only, since what clients see takes more time than CI has.
  bool inner = false;
  // Whether nothing is known to break.
  bool harmless = false;
};

const std::vector<VariantInfo>& variants();
const VariantInfo* findVariant(std::string_view name);

}  // namespace gavel::model
