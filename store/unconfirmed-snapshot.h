#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include "base/turn-budget.h"
#include "store/store.h"

namespace gavel {

// Reads a store's newest checkpoint and all that its log holds after it, committed or not, as one
// state as of the log's end.  Nothing in the store changes.  This is for a backup of a chain that
// cannot confirm: the log of a serving member holds all that was ever acknowledged (R5), and the
// checkpoint alone does not.
//
// The state is loaded a second time for that, and what the log changes in it is kept in memory.
// Takes turns of the event loop as `pace` says (R16).  Fails with OVERLOADED if the store makes a
// checkpoint meanwhile.  `store` and `timer` outlive the promise; `store` also outlives the reader.
kj::Promise<kj::Own<SnapshotReader>> openUnconfirmedSnapshot(Store& store, kj::Timer& timer,
                                                             WorkPace pace);

}  // namespace gavel
