#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include "base/turn-budget.h"
#include "store/store.h"

namespace gavel {

// Reads a store's newest checkpoint and all that its log holds after that, whether it is known to
// be committed or not, as one state as of the log's end; nothing in the store changes.  For a
// backup of a chain that cannot confirm: the log of a serving member holds all that was ever
// acknowledged (R5), and the checkpoint alone does not.
//
// The state is loaded a second time for that, and what the log makes of it is kept in memory. Takes
// turns of the event loop as `pace` says (R16).  Fails with OVERLOADED if the store makes a
// checkpoint meanwhile.  `store` and `timer` outlive the promise, and the store what it resolves
// to.
kj::Promise<kj::Own<SnapshotReader>> openUnconfirmedSnapshot(Store& store, kj::Timer& timer,
                                                             WorkPace pace);

}  // namespace gavel
