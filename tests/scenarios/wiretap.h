#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include <capnp/any.h>
#include <capnp/rpc.capnp.h>

#include "tests/simulation/wire.h"

namespace gavel::scenarios {

// Listens to the bytes that come to the machines of a simulation, and takes the calls and returns
// of Cap'n Proto's RPC out of them.
class Wiretap final {
public:
  struct Method {
    std::uint64_t interface;
    std::uint16_t number;

    bool operator<(const Method& other) const {
      return interface != other.interface ? interface < other.interface : number < other.number;
    }
  };

  // From one machine to another, as it comes there.
  std::function<void(simulation::Host from, simulation::Host to, Method method,
                     capnp::AnyPointer::Reader params)>
      onCall;
  // `from` is who was called, `to` who has called.
  std::function<void(simulation::Host from, simulation::Host to, Method method,
                     capnp::rpc::Return::Reader answer)>
      onReturn;

  // The next bytes of a connection, from that end of it.
  void arrived(const simulation::TcpConnection& connection, unsigned from,
               kj::ArrayPtr<const kj::byte> bytes);

private:
  // A direction of a connection: its number, and the end that sends.
  using Direction = std::pair<std::uint64_t, unsigned>;

  std::map<Direction, std::vector<kj::byte>> unread;
  // What was asked in that direction and is not answered, by the number of the question.
  std::map<Direction, std::map<std::uint32_t, Method>> asked;

  void message(const simulation::TcpConnection& connection, unsigned from,
               capnp::rpc::Message::Reader message);
};

}  // namespace gavel::scenarios
