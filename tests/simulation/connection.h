#pragma once

#include <deque>
#include <vector>

#include <kj/async-io.h>
#include <kj/refcount.h>

#include "tests/simulation/engine.h"

namespace gavel::simulation {

class Wire;
using Host = std::uint32_t;

// A TCP connection between two processes: two directions of bytes, each in order, with the state of
// the kernels at both ends.  Both streams, and everything under way on the wire, keep a reference.
class TcpConnection final: public kj::Refcounted {
public:
  TcpConnection(Wire& wire, std::uint64_t id, Process& client, Host from, Process& server, Host to,
                std::size_t bufferBytes);
  KJ_DISALLOW_COPY(TcpConnection);

  kj::Own<TcpConnection> addRef() { return kj::addRef(*this); }
  // The stream of the process at that end: 0 has connected, 1 has accepted.
  kj::Own<kj::AsyncIoStream> stream(unsigned end);

  std::uint64_t id() const { return id_; }
  Host host(unsigned end) const { return ends[end].host; }
  bool belongsTo(unsigned end, const Process& process) const {
    return ends[end].process == &process && ends[end].open;
  }
  bool usable(unsigned end) const { return ends[end].open && !ends[end].reset; }
  bool over() const;

  // Closes an end as a kernel does: in order, or by a reset if something was not read.
  void close(unsigned end);
  // The machine of that end has lost power: nobody is notified.
  void vanish(unsigned end);
  // The machine of an end that has vanished runs again, and does not know this connection.
  void machineIsBack(unsigned end);
  // Breaks that end, by a reset that has arrived, or because its kernel has given up.
  void breakEnd(unsigned end);
  // The cut between the two is healed: what was held up is sent again.
  void healed();

private:
  class Stream;
  class Read;
  class Write;

  struct Packet {
    Time arrival;
    kj::Array<kj::byte> bytes;  // None: the end of the stream.
  };
  struct End {
    Process* process;
    Host host;
    bool open = true;
    bool vanished = false;
    bool reset = false;
    bool ended = false;  // All of the peer's bytes have arrived.
    bool shut = false;   // Its own stream has ended.
    std::vector<kj::byte> received;
    std::size_t consumed = 0;  // Of `received`.
    Read* reader = nullptr;
    Write* writer = nullptr;
    std::vector<kj::Own<kj::PromiseFulfiller<void>>> whenBroken;

    std::size_t available() const { return received.size() - consumed; }
  };
  // From ends[i] to ends[1 - i].
  struct Direction {
    std::deque<Packet> inFlight;
    Time lastArrival = 0 * kj::NANOSECONDS;
    bool stalled = false;     // By a cut, until it is healed.
    std::size_t unread = 0;   // Bytes under way or not read.
    bool wakeQueued = false;  // The writer will be notified that there is room.
    // Bytes that were sent, that have arrived at the other machine, and of which this one knows
    // that.
    std::uint64_t sent = 0;
    std::uint64_t arrived = 0;
    std::uint64_t acked = 0;
  };

  Wire& wire;
  std::uint64_t id_;
  std::size_t bufferBytes;
  End ends[2];
  Direction directions[2];

  kj::Promise<std::size_t> read(unsigned end, void* buffer, std::size_t min, std::size_t max);
  kj::Promise<void> write(unsigned end, kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces);
  void shutdownWrite(unsigned end);
  std::size_t take(unsigned end, kj::byte* buffer, std::size_t max);
  std::size_t put(unsigned end, kj::ArrayPtr<const kj::byte> bytes);
  void send(unsigned end, kj::Array<kj::byte> bytes);
  void arrive(unsigned from);
  void stall(unsigned from);
  void acknowledge(unsigned from);
  std::size_t tcpInfo(unsigned end, void* answer, std::size_t size) const;
  void wakeReader(unsigned end);
  void wakeWriter(unsigned end);
  void sendReset(unsigned to);
};

}  // namespace gavel::simulation
