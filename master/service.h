#pragma once

#include "base/handshake.h"
#include "master/master.h"
#include "schema/master.capnp.h"

namespace gavel::master {

// The bootstrap interface of a master.  The capability, and those got through it, may outlive
// `master`: their calls fail with DISCONNECTED then.
schema::MasterService::Client serve(Master& master, Access access = {});

}  // namespace gavel::master
