#pragma once

#include <string>
#include <unistd.h>

namespace gavel::testing {

// An address on loopback on which only this process and its children listen: 127.x.y.z with the
// process ID.  A process that is killed and restarted finds its address free.  On 127.0.0.1 another
// test, or an outgoing connection, may have taken the port meanwhile.
inline std::string ownHost() {
  auto pid = static_cast<unsigned>(getpid());  // At most 2^22.
  return "127." + std::to_string(1 + (pid >> 16 & 0xff)) + "." + std::to_string(pid >> 8 & 0xff) +
         "." + std::to_string(pid & 0xff);
}

// The system chooses the port.
inline std::string ownAddress() {
  return ownHost() + ":0";
}

}  // namespace gavel::testing
