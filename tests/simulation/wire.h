#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <kj/async-io.h>
#include <kj/refcount.h>

#include "tests/simulation/connection.h"
#include "tests/simulation/engine.h"

namespace gavel::simulation {

// The network between all machines: TCP with delays drawn from the seed, cuts, slow links and
// resets.
//
// A machine is a host with one address, "name:port".  Connecting to a port that nobody listens on
// is refused.  There is no answer from a machine without power, or on the other side of a cut.  A
// cut holds up what is sent, and connections survive it unless a kernel gives up first.
class Wire final {
public:
  Wire(Engine& engine, Dice dice);
  KJ_DISALLOW_COPY(Wire);

  Engine& engine() { return engine_; }

  Host addHost(std::string name);
  const std::string& name(Host host) const { return hosts[host].name; }
  std::size_t hostCount() const { return hosts.size(); }
  bool hasPower(Host host) const { return hosts[host].power; }

  // The network as a process on that machine sees it.  Must not outlive this object.
  kj::Own<kj::Network> network(Process& process, Host host);

  // The kernel closes everything that a process had.  To be called at its death.
  void processEnded(Process& process);
  // To be called before the machine's processes end: nobody is notified.
  void powerOff(Host host);
  void powerOn(Host host);

  // From now on nothing is drawn: each message takes exactly `delay`, and so does the first that is
  // sent again after a cut; no kernel gives a connection up, and all have much room.
  void setFixedDelay(Time delay) { fixedDelay = delay; }
  // Told of all bytes that come to a machine, in order, before its process has them.
  std::function<void(const TcpConnection&, unsigned from, kj::ArrayPtr<const kj::byte>)> onArrival;

  // -- faults; cuts of the same link add up

  void cut(Host from, Host to);
  void heal(Host from, Host to);
  bool isCut(Host from, Host to) const { return links[from][to].cuts > 0; }
  // Each message takes about that much longer; 0: no longer.
  void slow(Host from, Host to, Time extra);
  // Messages of more bytes vanish, and later ones wait for them; 0: none vanish.
  void limit(Host from, Host to, std::size_t largest);
  // Whether a message is held up.
  bool blocks(Host from, Host to, std::size_t bytes) const {
    auto& link = links[from][to];
    return link.cuts > 0 || (link.largest > 0 && bytes > link.largest);
  }
  // Whether something was wrong between two machines, in either direction, since `since`.
  bool disturbedSince(Host a, Host b, Time since) const;
  // Resets all connections between two machines, and returns how many there were.
  unsigned reset(Host a, Host b);

  // -- for connections

  Time latency(Host from, Host to, std::size_t bytes);
  // How long a kernel sends again before it gives a connection up; none: longer than any run.
  std::optional<Time> drawPatience();
  Time drawRetransmission() {
    if (fixedDelay) return *fixedDelay;
    return dice.skewed(1 * kj::MILLISECONDS, 400 * kj::MILLISECONDS);
  }

private:
  class Receiver;
  class Address;
  class ProcessNetwork;
  struct Attempt;

  struct Listener: public kj::Refcounted {
    Process& process;
    Host host;
    unsigned port;
    bool open = true;
    std::deque<kj::Own<TcpConnection>> backlog;
    kj::Maybe<kj::Own<kj::PromiseFulfiller<kj::Own<kj::AsyncIoStream>>>> acceptor;

    Listener(Process& process, Host host, unsigned port)
        : process(process), host(host), port(port) {}
    void wake();
    void close();
  };
  struct Machine {
    std::string name;
    bool power = true;
    std::map<unsigned, kj::Own<Listener>> listeners;  // By port.
  };
  struct Link {
    unsigned cuts = 0;
    Time base = 0 * kj::NANOSECONDS;
    Time extra = 0 * kj::NANOSECONDS;
    std::size_t largest = 0;
    Time disturbed = -1 * kj::NANOSECONDS;  // When something was last wrong; -1: never.

    bool amiss() const { return cuts > 0 || extra > 0 * kj::NANOSECONDS || largest > 0; }
  };

  Engine& engine_;
  Dice dice;
  std::optional<Time> fixedDelay;
  std::vector<Machine> hosts;
  std::vector<std::vector<Link>> links;  // From, to.
  std::vector<kj::Own<TcpConnection>> connections;
  std::uint64_t lastId = 0;
  std::size_t pruneAt = 64;

  kj::Own<Listener> listen(Process& process, Host host, unsigned port);
  void connect(kj::Own<Attempt> attempt);
  void healed(Host from, Host to);
  void answer(kj::Own<Attempt> attempt, kj::Maybe<kj::Own<TcpConnection>> connection);
  void prune();
};

}  // namespace gavel::simulation
