#pragma once

#include <string>

#include <kj/async-io.h>
#include <kj/timer.h>

#include "master/membership.h"

namespace gavel::master {

// Whether `address` names no machine ("0.0.0.0:7401", "[::]:7401", "*:7401") or no port (":0").  A
// process may listen there, but nobody else can connect to it.
bool namesNoPlace(const std::string& address);

// Connects to the address that a node advertises, and checks whether that very process answers.
// Resolves within about `timeout`: with null if it answers, else with what is wrong and what to do.
// So a node that its peers could not reach is refused at once, instead of taken into the chain and
// lost.  Never fails.
//
// `network` and `timer` must outlive the promise.
kj::Promise<kj::Maybe<kj::String>> whyUnreachable(kj::Network& network, kj::Timer& timer,
                                                  const Member& member, kj::Duration timeout);

}  // namespace gavel::master
