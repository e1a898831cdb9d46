#include "docs/model/variant.h"

namespace gavel::model {

const std::vector<VariantInfo>& variants() {
  static const std::vector<VariantInfo> all = {
      {Variant::answerBeforeCommit, "answer-before-commit", "R5", "a client is answered before commit", {2, 2, 2, 2, 0, false}},
      {Variant::skipEpochCheck, "skip-epoch-check", "R1", "appends and acks of an older epoch are obeyed", {2, 2, 2, 4, 1, false}},
      {Variant::readWithoutConfirm, "read-without-confirm", "R10", "a read is answered without confirm", {2, 2, 1, 2, 0, true}},
      {Variant::confirmNeighbourOnly, "confirm-neighbour-only", "R10", "the tail asks its predecessor only", {3, 3, 1, 2, 0, true}},
      {Variant::confirmBeforeQuery, "confirm-before-query", "R10", "a confirm serves a query that came after it had started", {2, 2, 1, 2, 0, true}},
      {Variant::relayJoinsConfirm, "relay-joins-confirm", "R10", "a relay joins a confirm under way", {3, 3, 1, 2, 0, true}},
      {Variant::rejectOnUncommitted, "reject-on-uncommitted", "R8", "a reject is judged on what is not committed", {2, 2, 2, 2, 0, false}},
      {Variant::noGate, "no-gate", "R9", "a joiner is made to serve without a gate", {2, 1, 1, 4, 0, false}},
      {Variant::gateBeforeCaughtUp, "gate-before-caught-up", "R9", "the gate is reported before the joiner has what is committed", {2, 1, 1, 4, 0, false}},
      {Variant::gateBeforeBarrier, "gate-before-barrier", "R9", "the gate is reported before the tail is past its own barrier", {4, 3, 1, 3, 0, true}},
      {Variant::gateOfOlderEpoch, "gate-of-older-epoch", "R9", "a gate reported in an older epoch is used", {3, 2, 1, 4, 0, false}},
      {Variant::noBarrier, "no-barrier", "R6", "a new tail answers at once", {3, 3, 1, 2, 0, true}},
      {Variant::keepNumbers, "keep-numbers", "R5", "durable numbers are kept across epochs", {3, 1, 1, 4, 0, false}},
      {Variant::passUnheard, "pass-unheard", "R5", "a node passes its own durable number on before it has heard its predecessor's", {3, 3, 2, 2, 1, false}},
      {Variant::joinerIsSource, "joiner-is-source", "R11", "a joiner is the source after an outage", {2, 1, 1, 3, 1, false}},
      {Variant::olderMemberIsSource, "older-member-is-source", "R11", "a member of an older configuration is the source after an outage", {2, 2, 1, 3, 1, false}},
      {Variant::reorder, "reorder", "R3", "the master reorders members", {2, 2, 2, 2, 0, false}},
      {Variant::announceFirst, "announce-first", "R3", "a configuration is announced before it is stored", {2, 2, 2, 3, 0, false}},
      {Variant::restartInPlace, "restart-in-place", "R2", "a restarted process stays the member that it was", {2, 2, 2, 2, 2, true}},
      {Variant::readIsDurable, "read-is-durable", "R2", "what a restarted node reads counts as durable", {1, 1, 1, 3, 2, false}},
      {Variant::noCut, "no-cut", "R9", "a joiner drops nothing", {2, 2, 2, 5, 0, false}},
      {Variant::cutAfterRestartOnly, "cut-after-restart-only", "R9", "the last shared position is sought only after restarts", {2, 2, 2, 5, 0, false}},
      {Variant::joinerNotAsked, "joiner-not-asked", "R10", "a gated joiner is not asked in a confirm", {2, 1, 1, 4, 0, true}},
      {Variant::joinerDurableBeforeCut, "joiner-durable-before-cut", "R9", "what a joiner had before its cut counts as durable", {2, 2, 2, 5, 0, false}},
      {Variant::gateGivenUp, "gate-given-up", "R9", "the tail gives its gate up in the same epoch", {2, 1, 1, 3, 0, false}},
      {Variant::readBelowCommit, "read-below-commit", "R10", "a read is answered from less than the tail has committed", {2, 2, 1, 1, 0, true}},
      {Variant::keepUpstreamOnly, "keep-upstream-only", "R5", "only the predecessor's durable number is kept across epochs", {3, 3, 2, 4, 1, false}, true},
      {Variant::barrierForNewTailOnly, "barrier-for-new-tail-only", "R6", "a node that stays the tail notes no barrier anew", {3, 3, 2, 4, 1, true}, true},
  };
  return all;
}

const VariantInfo* findVariant(std::string_view name) {
  for (auto& info: variants()) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

}  // namespace gavel::model
