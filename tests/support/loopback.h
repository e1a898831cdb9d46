#pragma once

#include <string>
#include <unistd.h>

namespace gavel::testing {

// An address on loopback that only this process and those it starts listen on: 127.x.y.z with its
// process ID.  Who is killed and comes back under its address finds it as it left it.  On 127.0.0.1
// the port may have gone to another test meanwhile, which runs beside this one, or to an outgoing
// connection.
inline std::string ownHost() {
  auto pid = static_cast<unsigned>(getpid());  // At most 2^22.
  return "127." + std::to_string(1 + (pid >> 16 & 0xff)) + "." + std::to_string(pid >> 8 & 0xff) +
         "." + std::to_string(pid & 0xff);
}

// For the system to choose the port.
inline std::string ownAddress() {
  return ownHost() + ":0";
}

}  // namespace gavel::testing
