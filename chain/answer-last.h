#pragma once

#include <kj/async.h>

namespace gavel::chain {

// For the answer to a message that only says that it has come: it leaves behind all that the
// message has caused to be sent, for which somebody waits.
inline kj::Promise<void> answerLast() {
  return kj::evalLast([]() {});
}

}  // namespace gavel::chain
