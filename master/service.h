#pragma once

#include "base/handshake.h"
#include "master/master.h"
#include "schema/master.capnp.h"

namespace gavel::master {

// Returns the bootstrap interface of a master.  This capability, and those obtained through it, may
// outlive `master`: their calls then fail with DISCONNECTED.
schema::MasterService::Client serve(Master& master, Access access = {});

}  // namespace gavel::master
