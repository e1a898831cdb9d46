#pragma once

#include <string>

#include <kj/async-io.h>
#include <kj/timer.h>

#include "master/membership.h"

namespace gavel::master {

// Whether `address` names no machine ("0.0.0.0:7401", "[::]:7401", "*:7401") or no port (":0"): one
// may listen there, but nobody else can go there.
bool namesNoPlace(const std::string& address);

// Goes to the address that a node wants to be reached at, and sees whether that very process
// answers.  Resolves, within about `timeout`, with what is wrong and what to do; null if it
// answers. So a node that its peers could not reach is told at once, and not first taken into the
// chain and lost.  Never fails.
//
// `network` and `timer` must outlive the promise.
kj::Promise<kj::Maybe<kj::String>> whyUnreachable(kj::Network& network, kj::Timer& timer,
                                                  const Member& member, kj::Duration timeout);

}  // namespace gavel::master
