#include "tests/simulation/wire.h"

#include <algorithm>

#include <kj/debug.h>

namespace gavel::simulation {
namespace {

// The time after which a kernel tries again to connect, and how often.
constexpr auto CONNECT_AGAIN = 1 * kj::SECONDS;
constexpr unsigned CONNECT_ATTEMPTS = 6;

constexpr std::size_t BUFFER_SIZES[] = {4 * 1024, 16 * 1024, 64 * 1024, 256 * 1024};

}  // namespace

// A process that is connecting.
struct Wire::Attempt: public kj::Refcounted {
  Process& process;
  Host from, to;
  unsigned port;
  unsigned asked = 0;
  kj::Own<kj::PromiseFulfiller<kj::Own<kj::AsyncIoStream>>> fulfiller;

  Attempt(Process& process, Host from, Host to, unsigned port,
          kj::Own<kj::PromiseFulfiller<kj::Own<kj::AsyncIoStream>>> fulfiller)
      : process(process), from(from), to(to), port(port), fulfiller(kj::mv(fulfiller)) {}
};

void Wire::Listener::wake() {
  KJ_IF_MAYBE (waiting, acceptor) {
    if (backlog.empty()) return;
    auto connection = kj::mv(backlog.front());
    backlog.pop_front();
    auto fulfiller = kj::mv(*waiting);
    acceptor = nullptr;
    fulfiller->fulfill(connection->stream(1));
  }
}

void Wire::Listener::close() {
  open = false;
  for (auto& connection: backlog) connection->close(1);
  backlog.clear();
}

class Wire::Receiver final: public kj::ConnectionReceiver {
public:
  Receiver(Wire& wire, kj::Own<Listener> listener): wire(wire), listener(kj::mv(listener)) {}
  ~Receiver() noexcept(false) {
    if (!listener->open) return;
    listener->close();
    wire.hosts[listener->host].listeners.erase(listener->port);
  }
  KJ_DISALLOW_COPY(Receiver);

  kj::Promise<kj::Own<kj::AsyncIoStream>> accept() override {
    auto paf = kj::newPromiseAndFulfiller<kj::Own<kj::AsyncIoStream>>();
    listener->acceptor = kj::mv(paf.fulfiller);
    listener->wake();
    return kj::mv(paf.promise);
  }
  kj::uint getPort() override { return listener->port; }

private:
  Wire& wire;
  kj::Own<Listener> listener;
};

class Wire::Address final: public kj::NetworkAddress {
public:
  Address(Wire& wire, Process& process, Host from, Host to, unsigned port)
      : wire(wire), process(process), from(from), to(to), port(port) {}

  kj::Promise<kj::Own<kj::AsyncIoStream>> connect() override {
    if (!process.alive()) return kj::NEVER_DONE;
    auto paf = kj::newPromiseAndFulfiller<kj::Own<kj::AsyncIoStream>>();
    auto attempt = kj::refcounted<Attempt>(process, from, to, port, kj::mv(paf.fulfiller));
    wire.engine_.after(
        wire.latency(from, to, 0),
        [&wire = wire, attempt = kj::mv(attempt)]() mutable { wire.connect(kj::mv(attempt)); });
    return kj::mv(paf.promise);
  }
  kj::Own<kj::ConnectionReceiver> listen() override {
    KJ_REQUIRE(from == to, "listening on another machine's address");
    return kj::heap<Receiver>(wire, wire.listen(process, to, port));
  }
  kj::Own<kj::NetworkAddress> clone() override {
    return kj::heap<Address>(wire, process, from, to, port);
  }
  kj::String toString() override { return kj::str(wire.name(to).c_str(), ":", port); }

private:
  Wire& wire;
  Process& process;
  Host from, to;
  unsigned port;
};

class Wire::ProcessNetwork final: public kj::Network {
public:
  ProcessNetwork(Wire& wire, Process& process, Host host)
      : wire(wire), process(process), host(host) {}

  kj::Promise<kj::Own<kj::NetworkAddress>> parseAddress(kj::StringPtr text,
                                                        kj::uint portHint) override {
    auto colon = KJ_REQUIRE_NONNULL(text.findLast(':'), "expected host:port", text);
    std::string name(text.begin(), colon);
    auto port = text.slice(colon + 1).parseAs<unsigned>();
    for (Host to = 0; to < wire.hosts.size(); ++to) {
      if (wire.hosts[to].name != name) continue;
      return kj::Own<kj::NetworkAddress>(kj::heap<Address>(wire, process, host, to, port));
    }
    return KJ_EXCEPTION(FAILED, "no such machine", text);
  }
  kj::Own<kj::NetworkAddress> getSockaddr(const void*, kj::uint) override {
    KJ_UNIMPLEMENTED("no raw addresses here");
  }
  kj::Own<kj::Network> restrictPeers(kj::ArrayPtr<const kj::StringPtr>,
                                     kj::ArrayPtr<const kj::StringPtr>) override {
    KJ_UNIMPLEMENTED("no restrictions here");
  }

private:
  Wire& wire;
  Process& process;
  Host host;
};

Wire::Wire(Engine& engine, Dice dice): engine_(engine), dice(dice) {}

Host Wire::addHost(std::string name) {
  hosts.push_back({std::move(name), true, {}});
  auto draw = [&]() {
    Link link;
    link.base = dice.skewed(20 * kj::MICROSECONDS, 1 * kj::MILLISECONDS);
    return link;
  };
  for (auto& row: links) row.push_back(draw());
  links.emplace_back();
  for (std::size_t i = 0; i < hosts.size(); ++i) links.back().push_back(draw());
  return static_cast<Host>(hosts.size() - 1);
}

kj::Own<kj::Network> Wire::network(Process& process, Host host) {
  return kj::heap<ProcessNetwork>(*this, process, host);
}

// Mostly the link's own latency, sometimes much more; always above 0.
Time Wire::latency(Host from, Host to, std::size_t bytes) {
  if (fixedDelay) return *fixedDelay;
  auto& link = links[from][to];
  auto delay = link.base + dice.between(Engine::SHORTEST_DELAY, link.base);
  if (dice.below(100) == 0) delay += dice.skewed(1 * kj::MILLISECONDS, 30 * kj::MILLISECONDS);
  if (link.extra > 0 * kj::NANOSECONDS) delay += dice.between(link.extra / 2, link.extra * 3 / 2);
  return delay + static_cast<std::int64_t>(bytes) * 8 * kj::NANOSECONDS;
}

std::optional<Time> Wire::drawPatience() {
  if (fixedDelay || !dice.chance(0.3)) return std::nullopt;
  return dice.skewed(300 * kj::MILLISECONDS, 15 * kj::SECONDS);
}

kj::Own<Wire::Listener> Wire::listen(Process& process, Host host, unsigned port) {
  auto& slot = hosts[host].listeners[port];
  KJ_REQUIRE(slot.get() == nullptr, "address already in use", hosts[host].name.c_str(), port);
  slot = kj::refcounted<Listener>(process, host, port);
  return kj::addRef(*slot);
}

// The first packet of a connection arrives at the machine.
void Wire::connect(kj::Own<Attempt> attempt) {
  if (!attempt->process.alive() || !attempt->fulfiller->isWaiting()) return;
  auto& machine = hosts[attempt->to];
  if (!machine.power || isCut(attempt->from, attempt->to)) {
    if (++attempt->asked == CONNECT_ATTEMPTS) {
      auto& process = attempt->process;
      engine_.deliver(process, [attempt = kj::mv(attempt)]() mutable {
        attempt->fulfiller->reject(KJ_EXCEPTION(DISCONNECTED, "connection timed out"));
      });
      return;
    }
    engine_.after(CONNECT_AGAIN,
                  [this, attempt = kj::mv(attempt)]() mutable { connect(kj::mv(attempt)); });
    return;
  }
  auto back = latency(attempt->to, attempt->from, 0);
  auto found = machine.listeners.find(attempt->port);
  kj::Maybe<kj::Own<TcpConnection>> made;
  if (found != machine.listeners.end()) {
    auto& listener = *found->second;
    prune();
    auto size = fixedDelay ? kj::size(BUFFER_SIZES) - 1 : dice.below(kj::size(BUFFER_SIZES));
    auto buffer = BUFFER_SIZES[size];
    auto connection = kj::refcounted<TcpConnection>(
        *this, ++lastId, attempt->process, attempt->from, listener.process, attempt->to, buffer);
    connections.push_back(connection->addRef());
    listener.backlog.push_back(connection->addRef());
    made = kj::mv(connection);
    engine_.after(back, [this, attempt = kj::mv(attempt), made = kj::mv(made)]() mutable {
      answer(kj::mv(attempt), kj::mv(made));
    });
    engine_.deliver(listener.process,
                    [listener = kj::addRef(listener)]() mutable { listener->wake(); });
    return;
  }
  engine_.after(back,
                [this, attempt = kj::mv(attempt)]() mutable { answer(kj::mv(attempt), nullptr); });
}

// The machine's answer is back.
void Wire::answer(kj::Own<Attempt> attempt, kj::Maybe<kj::Own<TcpConnection>> connection) {
  if (isCut(attempt->to, attempt->from)) {
    engine_.after(CONNECT_AGAIN,
                  [this, attempt = kj::mv(attempt), connection = kj::mv(connection)]() mutable {
                    answer(kj::mv(attempt), kj::mv(connection));
                  });
    return;
  }
  auto& process = attempt->process;
  KJ_IF_MAYBE (made, connection) {
    if (!process.alive()) {
      (*made)->close(0);
      return;
    }
    engine_.deliver(process, [attempt = kj::mv(attempt), made = kj::mv(*made)]() mutable {
      attempt->fulfiller->fulfill(made->stream(0));
    });
    return;
  }
  engine_.deliver(process, [attempt = kj::mv(attempt)]() mutable {
    attempt->fulfiller->reject(KJ_EXCEPTION(DISCONNECTED, "connection refused"));
  });
}

void Wire::prune() {
  if (connections.size() < pruneAt) return;
  connections.erase(std::remove_if(connections.begin(), connections.end(),
                                   [](auto& connection) { return connection->over(); }),
                    connections.end());
  pruneAt = std::max<std::size_t>(64, connections.size() * 2);
}

void Wire::processEnded(Process& process) {
  for (auto& host: hosts) {
    for (auto each = host.listeners.begin(); each != host.listeners.end();) {
      bool mine = &each->second->process == &process;
      if (mine) each->second->close();
      each = mine ? host.listeners.erase(each) : std::next(each);
    }
  }
  for (auto& connection: connections) {
    for (unsigned end = 0; end < 2; ++end) {
      if (connection->belongsTo(end, process)) connection->close(end);
    }
  }
}

void Wire::powerOff(Host host) {
  hosts[host].power = false;
  for (auto& connection: connections) {
    for (unsigned end = 0; end < 2; ++end) {
      if (connection->host(end) == host) connection->vanish(end);
    }
  }
}

void Wire::powerOn(Host host) {
  hosts[host].power = true;
  for (auto& connection: connections) {
    for (unsigned end = 0; end < 2; ++end) {
      if (connection->host(end) == host) connection->machineIsBack(end);
    }
  }
}

void Wire::cut(Host from, Host to) {
  ++links[from][to].cuts;
}

void Wire::heal(Host from, Host to) {
  auto& link = links[from][to];
  KJ_REQUIRE(link.cuts > 0);
  link.disturbed = engine_.now();
  if (--link.cuts == 0) healed(from, to);
}

void Wire::slow(Host from, Host to, Time extra) {
  links[from][to].extra = extra;
  links[from][to].disturbed = engine_.now();
}

void Wire::limit(Host from, Host to, std::size_t largest) {
  links[from][to].largest = largest;
  links[from][to].disturbed = engine_.now();
  if (largest == 0) healed(from, to);
}

void Wire::healed(Host from, Host to) {
  for (auto& connection: connections) {
    if ((connection->host(0) == from && connection->host(1) == to) ||
        (connection->host(1) == from && connection->host(0) == to)) {
      connection->healed();
    }
  }
}

bool Wire::disturbedSince(Host a, Host b, Time since) const {
  for (auto* link: {&links[a][b], &links[b][a]}) {
    if (link->amiss() || link->disturbed >= since) return true;
  }
  return false;
}

unsigned Wire::reset(Host a, Host b) {
  unsigned count = 0;
  // By index: a notified process may open connections.
  for (std::size_t i = 0; i < connections.size(); ++i) {
    auto connection = connections[i]->addRef();
    bool between = (connection->host(0) == a && connection->host(1) == b) ||
                   (connection->host(1) == a && connection->host(0) == b);
    if (!between || connection->over()) continue;
    ++count;
    links[a][b].disturbed = engine_.now();
    connection->breakEnd(0);
    connection->breakEnd(1);
  }
  return count;
}

}  // namespace gavel::simulation
