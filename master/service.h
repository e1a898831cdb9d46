#pragma once

#include "master/master.h"
#include "schema/master.capnp.h"

namespace gavel::master {

// The bootstrap interface of a master.  The capability, and those got through it, may outlive
// `master`: their calls fail with DISCONNECTED then.
schema::MasterService::Client serve(Master& master);

}  // namespace gavel::master
