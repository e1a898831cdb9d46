#pragma once

#include <kj/async.h>

namespace gavel::chain {

// Delays a bare acknowledgment to the end of the turn, so that messages that somebody waits for are
// sent first.
inline kj::Promise<void> answerLast() {
  return kj::evalLast([]() {});
}

}  // namespace gavel::chain
