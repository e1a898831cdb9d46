#pragma once

#include <cstdint>

#include "log/position.h"
#include "schema/peer.capnp.h"

namespace gavel::chain {

// What every message between nodes carries, and every receiver checks (R1).
struct Header {
  std::uint64_t clusterId = 0;
  std::uint64_t epoch = 0;
  std::uint64_t sender = 0;
  std::uint64_t receiver = 0;

  bool operator==(const Header&) const = default;

  static Header read(schema::Header::Reader reader) {
    return {reader.getClusterId(), reader.getEpoch(), reader.getSender(), reader.getReceiver()};
  }
  void write(schema::Header::Builder builder) const {
    builder.setClusterId(clusterId);
    builder.setEpoch(epoch);
    builder.setSender(sender);
    builder.setReceiver(receiver);
  }
  // The header of messages in the other direction.
  Header reply() const { return {clusterId, epoch, receiver, sender}; }
};

}  // namespace gavel::chain
