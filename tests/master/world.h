#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/timer.h>

#include "master/master.h"
#include "master/service.h"
#include "schema/peer.capnp.h"
#include "tests/support/fakes.h"
#include "tests/support/memory-config-store.h"

// One master and fake nodes in this thread, over in-memory streams and on virtual time.
namespace gavel::master {

// Serves a capability to any number of in-memory connections, until it is destroyed.
class StreamServer final: private kj::TaskSet::ErrorHandler {
public:
  explicit StreamServer(capnp::Capability::Client bootstrap)
      : server(kj::mv(bootstrap)), tasks(*this) {}

  // Returns the other end of a new connection.
  kj::Own<kj::AsyncIoStream> connect();

private:
  capnp::TwoPartyServer server;
  kj::TaskSet tasks;

  void taskFailed(kj::Exception&& exception) override {}
};

// The reaction to a connection at an address.
enum class Reaction { serve, silent, close };

// A network of names.  Nobody listens at an address that is not in `endpoints`.
class FakeNetwork final: public kj::Network {
public:
  struct Endpoint {
    Reaction reaction = Reaction::serve;
    StreamServer* server = nullptr;
  };
  std::map<std::string, Endpoint> endpoints;
  bool outOfFiles = false;
  bool unresolved = false;  // No name resolves.
  unsigned connects = 0;

  kj::Promise<kj::Own<kj::NetworkAddress>> parseAddress(kj::StringPtr address,
                                                        unsigned portHint) override;
  kj::Own<kj::NetworkAddress> getSockaddr(const void* sockaddr, unsigned length) override {
    KJ_UNIMPLEMENTED("in-memory");
  }
  kj::Own<kj::Network> restrictPeers(kj::ArrayPtr<const kj::StringPtr> allow,
                                     kj::ArrayPtr<const kj::StringPtr> deny) override {
    KJ_UNIMPLEMENTED("in-memory");
  }

  // Connects to `address` as it reacts now.
  kj::Promise<kj::Own<kj::AsyncIoStream>> connect(const std::string& address);

private:
  kj::Vector<kj::Own<kj::AsyncIoStream>> silent;  // Accepted, never answered.
};

// The virtual clock: wall clock and time since boot move with the timer.
class FakeClock final: public SystemClock {
public:
  explicit FakeClock(kj::Timer& timer): timer(timer), start(timer.now()) {}
  std::int64_t wall() const override { return 1'700'000'000'000'000'000 + elapsed(); }
  std::int64_t sinceBoot() const override { return elapsed(); }

private:
  kj::Timer& timer;
  kj::TimePoint start;
  std::int64_t elapsed() const { return (timer.now() - start) / kj::NANOSECONDS; }
};

class World;

// A connection that delivers what is sent in one turn of the event loop in that turn, in order.
class PlainConnection {
public:
  explicit PlainConnection(kj::Own<kj::AsyncIoStream> stream)
      : stream(kj::mv(stream)), client(*this->stream) {}
  KJ_DISALLOW_COPY(PlainConnection);

  template <typename Interface>
  typename Interface::Client bootstrap() {
    return client.bootstrap().castAs<Interface>();
  }
  kj::Promise<void> onDisconnect() { return client.onDisconnect(); }

private:
  kj::Own<kj::AsyncIoStream> stream;
  capnp::TwoPartyClient client;
};

// A node as the master sees it.  It registers, sends heartbeats and takes configurations, and
// begins anew when its connection is gone.
class FakeNode {
public:
  FakeNode(World& world, std::string name, std::uint64_t storeId, std::uint64_t incarnation);
  ~FakeNode() noexcept(false);
  KJ_DISALLOW_COPY(FakeNode);

  World& world;
  std::string name;
  std::string address;
  std::uint64_t storeId;
  std::uint64_t incarnation;

  // To be set before the node runs.
  std::uint32_t protocolVersion = schema::PROTOCOL_VERSION;
  std::uint64_t clusterId = 0;
  bool empty = true;
  std::int64_t skew = 0;
  std::uint64_t generation = 1;
  std::string advertised;  // Empty: its address.

  // Its report on its log.
  std::uint64_t last = 10;
  std::uint64_t commit = 0;
  std::uint64_t bound = 0;
  std::string damage;
  bool unsynced = false;
  // Its promise to a rebuilt master (R3), and why it refuses one, if so.
  std::uint64_t promised = 0;
  std::uint64_t promisedReign = 0;
  std::string refusesPromise;
  std::function<void()> onPromise;  // Called before it answers.
  // Its report on its disk (R12).
  bool diskHangs = false;
  std::uint64_t syncs = 0;
  kj::Duration syncMedian = 0 * kj::SECONDS;
  // Whether it gates the joiner at each heartbeat as the tail, as if that had caught up.
  bool gates = true;

  // Acts as after SIGSTOP: sends and answers nothing, while its connections stay open.
  bool paused = false;
  bool reconnects = true;
  // Sends no heartbeats, but answers.
  bool mute = false;

  Configuration adopted;
  std::string refusal;
  // Its answer to an operator's order on its clock, and the order.
  std::string refusesClock;
  std::vector<std::int64_t> acceptedClocks;
  std::string notNow;  // Why it was asked to try again, the last time.
  unsigned registrations = 0;

  void start();
  // Acts as after SIGKILL.
  void kill();
  bool running() const { return server.get() != nullptr; }
  void dropRegistration() { registration = nullptr; }
  void dropConnection() { connection = nullptr; }
  // Registers on a second connection, before the first one is known to be gone.
  void registerAgain();
  void dropFirstConnection() { first = nullptr; }
  void adopt(const Configuration& configuration);
  // Reports to the master that it gates `joiner` in `epoch`.
  void gate(std::uint64_t epoch, std::uint64_t joiner);
  // Reports to the master that it cannot reach `suspect`.
  void report(const FakeNode& suspect);
  // Reports to the master whether its link to a neighbour works (R6).
  kj::Promise<void> reportLink(const FakeNode& peer, bool broken, bool gating);

private:
  class Control;
  class Service;

  kj::Own<PlainConnection> first;
  kj::Own<PlainConnection> connection;
  kj::Maybe<schema::Registration::Client> registration;
  kj::Own<StreamServer> server;
  kj::Promise<void> life = nullptr;

  kj::Promise<void> live();
  kj::Promise<void> connectOnce();
  kj::Promise<void> gateJoiner();
  kj::Promise<void> beat(kj::Duration interval);
  void writeStatus(schema::NodeStatus::Builder status) const;
};

class World {
public:
  World();
  ~World() noexcept(false);
  KJ_DISALLOW_COPY(World);

  kj::EventLoop loop;
  kj::WaitScope waitScope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>() + 1000 * kj::SECONDS};
  FakeClock clock{timer};
  FakeNetwork network;
  gavel::testing::SeededRandom random{42};
  Settings settings;
  kj::Own<ConfigStore> store = kj::heap<MemoryConfigStore>();

  kj::Own<Master> master;
  kj::Own<StreamServer> masterServer;
  std::vector<std::unique_ptr<FakeNode>> nodes;

  void startMaster();
  // Acts as after SIGKILL.
  void killMaster();

  // A new node that runs.  `storeId` 0: a new one.
  FakeNode& startNode(const std::string& name, std::uint64_t storeId = 0);
  // A new node that does not run yet.
  FakeNode& makeNode(const std::string& name, std::uint64_t storeId = 0);
  // A new process, not running yet, on the data directory of `old`, which is killed if it runs.
  FakeNode& makeSuccessor(FakeNode& old);
  FakeNode& restart(FakeNode& old);
  // The node that runs as `incarnation`.
  FakeNode& running(std::uint64_t incarnation);
  // Starts nodes n1, n2, … and waits until they form a chain.
  void startChain(unsigned members);

  // Runs until `done`, and returns the virtual time that passed.  Throws after `limit`.
  kj::Duration runUntil(const std::function<bool()>& done, kj::Duration limit = 60 * kj::SECONDS);
  void runFor(kj::Duration duration);
  // Lets time pass while nothing runs, as if this process were stopped.
  void sleep(kj::Duration duration) { timer.advanceTo(timer.now() + duration); }

  template <typename T>
  T wait(kj::Promise<T> promise) {
    runUntil([&]() { return promise.poll(waitScope); });
    return promise.wait(waitScope);
  }

  std::uint64_t epoch() const { return master->current().epoch; }
  std::string members() const { return master->current().describe(); }
  // Whether all of these nodes have adopted the master's configuration.
  bool adoptedBy(std::initializer_list<FakeNode*> those) const;
  schema::MasterService::Client client();

private:
  std::uint64_t lastId = 1000;
  std::vector<kj::Own<PlainConnection>> clients;
};

}  // namespace gavel::master
