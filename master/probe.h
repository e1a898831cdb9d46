#pragma once

#include <cstdint>

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/timer.h>

#include "master/suspicion.h"
#include "schema/topology.capnp.h"

namespace gavel::master {

// Asks the process that answers at `address` whether it is `incarnation`, on a connection of its
// own.  Resolves within `timeout`, and at once if nobody listens there.  Never fails.
//
// `told` is called with the status of that process, whoever it is.
//
// `network` and `timer` must outlive the promise; dropping it ends the probe.
kj::Promise<ProbeResult> probe(
    kj::Network& network, kj::Timer& timer, kj::StringPtr address, std::uint64_t incarnation,
    kj::Duration timeout, kj::Maybe<kj::Function<void(schema::NodeStatus::Reader)>> told = nullptr);

}  // namespace gavel::master
