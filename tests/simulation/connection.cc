#include "tests/simulation/connection.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>

#include <kj/debug.h>

#include "base/tcp-info.h"
#include "tests/simulation/wire.h"

namespace gavel::simulation {
namespace {

// The time after which a kernel sends again if it has heard nothing.
constexpr auto RETRANSMIT = 200 * kj::MILLISECONDS;

kj::Exception broken() {
  return KJ_EXCEPTION(DISCONNECTED, "connection reset by peer");
}

}  // namespace

// A read that waits.
class TcpConnection::Read final {
public:
  Read(kj::PromiseFulfiller<std::size_t>& fulfiller, kj::Own<TcpConnection> connection,
       unsigned end, kj::byte* buffer, std::size_t min, std::size_t max)
      : fulfiller(fulfiller),
        connection(kj::mv(connection)),
        end(end),
        buffer(buffer),
        min(min),
        max(max) {
    auto& mine = this->connection->ends[end];
    KJ_REQUIRE(mine.reader == nullptr, "two reads at a time");
    mine.reader = this;
  }
  ~Read() { leave(); }
  KJ_DISALLOW_COPY(Read);

  void consider() {
    auto& mine = connection->ends[end];
    if (mine.reset) {
      leave();
      fulfiller.reject(broken());
      return;
    }
    taken += connection->take(end, buffer + taken, max - taken);
    if (taken < min && !mine.ended) return;
    leave();
    fulfiller.fulfill(kj::cp(taken));
  }

private:
  kj::PromiseFulfiller<std::size_t>& fulfiller;
  kj::Own<TcpConnection> connection;
  unsigned end;
  kj::byte* buffer;
  std::size_t min, max;
  std::size_t taken = 0;

  void leave() {
    auto& mine = connection->ends[end];
    if (mine.reader == this) mine.reader = nullptr;
  }
};

// A write that waits for room.
class TcpConnection::Write final {
public:
  Write(kj::PromiseFulfiller<void>& fulfiller, kj::Own<TcpConnection> connection, unsigned end,
        kj::Array<kj::byte> rest)
      : fulfiller(fulfiller), connection(kj::mv(connection)), end(end), rest(kj::mv(rest)) {
    auto& mine = this->connection->ends[end];
    KJ_REQUIRE(mine.writer == nullptr, "two writes at a time");
    mine.writer = this;
  }
  ~Write() { leave(); }
  KJ_DISALLOW_COPY(Write);

  void consider() {
    if (connection->ends[end].reset) {
      leave();
      fulfiller.reject(broken());
      return;
    }
    sent += connection->put(end, rest.slice(sent, rest.size()));
    if (sent < rest.size()) return;
    leave();
    fulfiller.fulfill();
  }

private:
  kj::PromiseFulfiller<void>& fulfiller;
  kj::Own<TcpConnection> connection;
  unsigned end;
  kj::Array<kj::byte> rest;
  std::size_t sent = 0;

  void leave() {
    auto& mine = connection->ends[end];
    if (mine.writer == this) mine.writer = nullptr;
  }
};

class TcpConnection::Stream final: public kj::AsyncIoStream {
public:
  Stream(kj::Own<TcpConnection> connection, unsigned end)
      : connection(kj::mv(connection)), end(end) {}
  ~Stream() noexcept(false) { connection->close(end); }
  KJ_DISALLOW_COPY(Stream);

  kj::Promise<std::size_t> tryRead(void* buffer, std::size_t min, std::size_t max) override {
    return connection->read(end, buffer, min, max);
  }
  kj::Promise<void> write(const void* buffer, std::size_t size) override {
    auto piece = kj::arrayPtr(static_cast<const kj::byte*>(buffer), size);
    return connection->write(end, kj::arrayPtr(&piece, 1));
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    return connection->write(end, pieces);
  }
  kj::Promise<void> whenWriteDisconnected() override {
    auto& mine = connection->ends[end];
    if (mine.reset) return kj::READY_NOW;
    auto paf = kj::newPromiseAndFulfiller<void>();
    mine.whenBroken.push_back(kj::mv(paf.fulfiller));
    return kj::mv(paf.promise);
  }
  void shutdownWrite() override { connection->shutdownWrite(end); }
  void abortRead() override {}
  void getsockopt(int level, int option, void* value, kj::uint* length) override {
    if (level == TCP_INFO_LEVEL && option == TCP_INFO_OPTION) {
      *length = static_cast<kj::uint>(connection->tcpInfo(end, value, *length));
      return;
    }
    KJ_REQUIRE(level == SOL_SOCKET && option == SO_SNDBUF && *length == sizeof(int));
    int size = static_cast<int>(connection->bufferBytes);
    std::memcpy(value, &size, sizeof(size));
  }

private:
  kj::Own<TcpConnection> connection;
  unsigned end;
};

TcpConnection::TcpConnection(Wire& wire, std::uint64_t id, Process& client, Host from,
                             Process& server, Host to, std::size_t bufferBytes)
    : wire(wire), id_(id), bufferBytes(bufferBytes) {
  ends[0].process = &client;
  ends[0].host = from;
  ends[1].process = &server;
  ends[1].host = to;
}

kj::Own<kj::AsyncIoStream> TcpConnection::stream(unsigned end) {
  return kj::heap<Stream>(addRef(), end);
}

bool TcpConnection::over() const {
  return !usable(0) && !usable(1);
}

// -- what the processes do

kj::Promise<std::size_t> TcpConnection::read(unsigned end, void* buffer, std::size_t min,
                                             std::size_t max) {
  auto& mine = ends[end];
  if (mine.reset) return broken();
  auto* bytes = static_cast<kj::byte*>(buffer);
  if (mine.available() >= min || mine.ended) return take(end, bytes, max);
  return kj::newAdaptedPromise<std::size_t, Read>(addRef(), end, bytes, min, max);
}

kj::Promise<void> TcpConnection::write(unsigned end,
                                       kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  auto& mine = ends[end];
  if (!mine.process->alive()) return kj::NEVER_DONE;
  if (mine.reset) return broken();
  KJ_REQUIRE(!mine.shut, "a write after the end of the stream");
  std::size_t size = 0;
  for (auto& piece: pieces) size += piece.size();
  auto bytes = kj::heapArrayBuilder<kj::byte>(size);
  for (auto& piece: pieces) bytes.addAll(piece);
  auto whole = bytes.finish();
  auto sent = mine.writer == nullptr ? put(end, whole) : 0;
  if (sent == size) return kj::READY_NOW;
  return kj::newAdaptedPromise<void, Write>(addRef(), end, kj::heapArray(whole.slice(sent, size)));
}

void TcpConnection::shutdownWrite(unsigned end) {
  auto& mine = ends[end];
  if (!mine.process->alive() || mine.shut || mine.reset) return;
  mine.shut = true;
  send(end, nullptr);
}

// Moves the bytes that have arrived to the reader, and notifies the writer of the room.
std::size_t TcpConnection::take(unsigned end, kj::byte* buffer, std::size_t max) {
  auto& mine = ends[end];
  auto size = std::min(max, mine.available());
  if (size == 0) return 0;
  std::memcpy(buffer, mine.received.data() + mine.consumed, size);
  mine.consumed += size;
  if (mine.consumed == mine.received.size()) {
    mine.received.clear();
    mine.consumed = 0;
  }
  auto& direction = directions[1 - end];
  direction.unread -= size;
  if (ends[1 - end].writer != nullptr && !direction.wakeQueued) {
    direction.wakeQueued = true;
    auto delay = wire.latency(ends[end].host, ends[1 - end].host, 0);
    wire.engine().after(delay, [this, self = addRef(), end]() mutable { wakeWriter(1 - end); });
  }
  return size;
}

// Sends as much as there is room for, and returns how much that was.
std::size_t TcpConnection::put(unsigned end, kj::ArrayPtr<const kj::byte> bytes) {
  auto& direction = directions[end];
  auto room = bufferBytes - std::min(bufferBytes, direction.unread);
  auto size = std::min(room, bytes.size());
  if (size == 0) return 0;
  direction.unread += size;
  direction.sent += size;
  send(end, kj::heapArray(bytes.slice(0, size)));
  return size;
}

// -- what the kernels do

void TcpConnection::send(unsigned end, kj::Array<kj::byte> bytes) {
  auto& direction = directions[end];
  auto& engine = wire.engine();
  auto arrival = engine.now() + wire.latency(ends[end].host, ends[1 - end].host, bytes.size());
  arrival = std::max(arrival, direction.lastArrival);
  direction.lastArrival = arrival;
  direction.inFlight.push_back({arrival, kj::mv(bytes)});
  if (direction.stalled) return;
  engine.at(arrival, [this, self = addRef(), end]() mutable { arrive(end); });
}

// The next packet of ends[from] arrives at the other end's machine, unless it is held up.
void TcpConnection::arrive(unsigned from) {
  auto& direction = directions[from];
  auto& engine = wire.engine();
  auto to = 1 - from;
  while (!direction.stalled && !direction.inFlight.empty() &&
         direction.inFlight.front().arrival <= engine.now()) {
    auto size = direction.inFlight.front().bytes.size();
    if (wire.blocks(ends[from].host, ends[to].host, size)) return stall(from);
    auto packet = kj::mv(direction.inFlight.front());
    direction.inFlight.pop_front();
    auto& theirs = ends[to];
    if (theirs.reset) continue;
    if (theirs.vanished && !wire.hasPower(theirs.host)) {
      // Nobody answers; the sender's kernel keeps trying.
      direction.inFlight.push_front(kj::mv(packet));
      return stall(from);
    }
    if (!theirs.open || theirs.vanished) {
      sendReset(from);
      continue;
    }
    engine.trace().wire(engine.now(), id_, from, packet.bytes.size());
    if (engine.trace().wantsWire()) {
      engine.trace().explain(
          engine.now(), theirs.process->name(),
          fmt::format("wire #{} {} > {} {} bytes", id_, ends[from].process->name(),
                      theirs.process->name(), packet.bytes.size()));
    }
    direction.arrived += packet.bytes.size();
    acknowledge(from);
    if (wire.onArrival) wire.onArrival(*this, from, packet.bytes);
    if (packet.bytes == nullptr) {
      theirs.ended = true;
    } else {
      theirs.received.insert(theirs.received.end(), packet.bytes.begin(), packet.bytes.end());
    }
    engine.deliver(*theirs.process, [this, self = addRef(), to]() mutable { wakeReader(to); });
  }
}

// The other kernel acknowledges what it has, at once, unless that is lost.
void TcpConnection::acknowledge(unsigned from) {
  if (wire.isCut(ends[1 - from].host, ends[from].host)) return;
  directions[from].acked = directions[from].arrived;
}

// The kernel's answer to a process that asks for TCP_INFO.
std::size_t TcpConnection::tcpInfo(unsigned end, void* answer, std::size_t size) const {
  auto& direction = directions[end];
  TcpInfo info;
  info.bytesAcked = direction.acked;
  info.unacked = direction.sent > direction.acked ? 1 : 0;
  info.notSentBytes = ends[end].writer != nullptr ? 1 : 0;
  auto waiting = ends[1 - end].available();
  info.sendWindow = static_cast<std::uint32_t>(bufferBytes - std::min(bufferBytes, waiting));
  info.knowsSendWindow = true;
  return writeTcpInfo(info, answer, size);
}

// The sender's kernel tries again until the cut is healed, or gives up at some time.
void TcpConnection::stall(unsigned from) {
  directions[from].stalled = true;
  if (!ends[from].open) return;
  if (auto patience = wire.drawPatience()) {
    wire.engine().after(*patience, [this, self = addRef(), from]() mutable {
      if (directions[from].stalled && ends[from].open) breakEnd(from);
    });
  }
}

void TcpConnection::healed() {
  for (unsigned from = 0; from < 2; ++from) {
    auto& direction = directions[from];
    auto to = 1 - from;
    acknowledge(from);
    if (!direction.stalled || wire.isCut(ends[from].host, ends[to].host)) continue;
    if (ends[to].vanished && !wire.hasPower(ends[to].host)) continue;
    wire.engine().after(wire.drawRetransmission(), [this, self = addRef(), from]() mutable {
      directions[from].stalled = false;
      // Packets after the first may still be under way.
      for (auto& packet: directions[from].inFlight) {
        if (packet.arrival > wire.engine().now()) {
          wire.engine().at(packet.arrival,
                           [this, self = addRef(), from]() mutable { arrive(from); });
        }
      }
      arrive(from);
    });
  }
}

void TcpConnection::wakeReader(unsigned end) {
  if (auto* reader = ends[end].reader) reader->consider();
}

void TcpConnection::wakeWriter(unsigned end) {
  wire.engine().deliver(*ends[end].process, [this, self = addRef(), end]() mutable {
    directions[end].wakeQueued = false;
    if (auto* writer = ends[end].writer) writer->consider();
  });
}

void TcpConnection::close(unsigned end) {
  auto& mine = ends[end];
  if (!mine.open) return;
  mine.open = false;
  if (mine.reset || mine.vanished) return;
  if (mine.available() > 0) {
    sendReset(1 - end);
  } else if (!mine.shut) {
    mine.shut = true;
    send(end, nullptr);
  }
}

void TcpConnection::vanish(unsigned end) {
  auto& mine = ends[end];
  if (!mine.open) return;
  mine.vanished = true;
  directions[end].inFlight.clear();
}

void TcpConnection::machineIsBack(unsigned end) {
  if (!ends[end].vanished) return;
  healed();
}

// Notifies ends[to] that the other one does not know this connection any more.
void TcpConnection::sendReset(unsigned to) {
  auto from = ends[1 - to].host;
  wire.engine().after(wire.latency(from, ends[to].host, 0), [this, self = addRef(), to]() mutable {
    if (!usable(to)) return;
    if (wire.isCut(ends[1 - to].host, ends[to].host)) {
      // It sends again, and is answered again.
      wire.engine().after(RETRANSMIT, [this, self = addRef(), to]() mutable { sendReset(to); });
      return;
    }
    breakEnd(to);
  });
}

void TcpConnection::breakEnd(unsigned end) {
  auto& mine = ends[end];
  if (!usable(end) || mine.vanished) return;
  mine.reset = true;
  mine.received.clear();
  mine.consumed = 0;
  directions[end].inFlight.clear();
  auto& engine = wire.engine();
  engine.trace().wire(engine.now(), id_, end, ~std::uint64_t(0));
  engine.trace().explain(engine.now(), mine.process->name(), fmt::format("wire #{} reset", id_));
  engine.deliver(*mine.process, [this, self = addRef(), end]() mutable {
    auto& mine = ends[end];
    if (mine.reader != nullptr) mine.reader->consider();
    if (mine.writer != nullptr) mine.writer->consider();
    for (auto& each: mine.whenBroken) each->fulfill();
    mine.whenBroken.clear();
  });
}

}  // namespace gavel::simulation
