#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <kj/async-io.h>

#include "base/random.h"
#include "client/client.h"
#include "tests/cluster/process.h"
#include "tests/support/fakes.h"
#include "tests/support/loopback.h"
#include "tests/support/workload.h"

namespace gavel::cluster {

using Flags = std::vector<std::string>;

// A master and nodes as real processes, on loopback and in a temporary directory.  The nodes are
// named n1, n2, …, which is also their first order in the chain.  Here they are numbered from 0.
class Cluster final: public gavel::testing::Target {
public:
  struct Options {
    std::size_t replicas = 3;
    Flags masterFlags;
    Flags nodeFlags;
    // The parent of the data directories, which have the names of the processes; empty: the
    // temporary directory.
    std::string data;
    // A backup with which the first node begins.
    std::string restore;
    kj::Duration clientTimeout = 20 * kj::SECONDS;
    // The address at which the master and each node listen; empty: on loopback.
    std::string host;
    std::vector<std::string> nodeHosts;
    // The command before the program of each node; empty: none.
    std::vector<Flags> launchers;
  };

  Cluster(kj::AsyncIoContext& io, std::size_t replicas, Flags masterFlags = {});
  // Returns once the chain has formed.
  Cluster(kj::AsyncIoContext& io, Options options);
  KJ_DISALLOW_COPY(Cluster);

  Process& master() { return *master_; }
  Process& node(std::size_t i) { return *nodes[i]; }
  std::size_t size() const { return nodes.size(); }
  // The first `replicas` nodes are started by the constructor, any others by this.
  std::size_t addSpare();

  // Restarts a process on its earlier port.  If it still runs, it is killed.
  void restartMaster(const Flags& flags = {});
  void restartNode(std::size_t i, const Flags& flags = {});
  // Likewise.  If the node ends instead of being ready, returns its end.
  std::optional<Finished> tryRestartNode(std::size_t i, const Flags& flags = {});
  // Kills all of them at once, the master too.
  void killAll();

  const std::string& masterAddress() const { return masterAddress_; }
  const std::string& nodeAddress(std::size_t i) const { return nodeAddresses[i]; }
  const std::string& directory() const { return directory_.path(); }
  std::string dataOf(std::size_t i) const;
  std::string dataOfMaster() const { return dataOf("master"); }
  // The addresses of all nodes.
  std::string servers() const;

  // Runs the CLI as a bidder with a credential of its own.  It knows all nodes and the master.
  Finished gavel(const std::string& as, Flags arguments);
  // The same, without waiting for its end.
  std::unique_ptr<Process> startGavel(const std::string& as, Flags arguments);

  // A client that knows all nodes and the master.
  std::unique_ptr<client::Client> newClient() override { return newClient(options.clientTimeout); }
  std::unique_ptr<client::Client> newClient(kj::Duration timeout);
  std::unique_ptr<client::Client> newClient(client::Client::Limits limits);

  // The configuration that a process reports on a connection of its own.
  capnp::Response<schema::Topology::ConfigurationResults> configuration(const std::string& address);
  capnp::Response<schema::Topology::StatusResults> status(std::size_t i,
                                                          bool withStateHash = false);

  // The newest configuration, as the master has it.
  struct Chain {
    std::uint64_t epoch = 0;
    std::vector<std::size_t> serving;  // From head to tail.
    bool joining = false;

    bool serves(std::size_t i) const;
  };
  Chain chain();
  // The notice of the master for the operator.
  std::string notice();
  // The master's note on one node; empty if the master does not know it.
  std::string noteOn(std::size_t i);

  // Whether as many nodes serve as are wanted, nobody joins, and all act in that configuration.
  bool whole();
  // Waits for that.
  void untilWhole(kj::Duration patience = 20 * kj::SECONDS);
  // Waits until the chain goes on without node `i`, which was killed.
  void untilWithout(std::size_t i);
  // Adds to the test's failures unless all members have applied the same log, to its end, and have
  // the same state.  Nothing may be under way.
  void expectSameState();

  // Waits until `condition` holds, and checks it repeatedly.
  template <typename Condition>
  void until(const char* what, Condition condition, kj::Duration patience = 15 * kj::SECONDS) {
    auto& timer = io.provider->getTimer();
    auto end = timer.now() + patience;
    while (!condition()) {
      KJ_REQUIRE(timer.now() < end, "gave up waiting", what, logs().c_str());
      timer.afterDelay(5 * kj::MILLISECONDS).wait(io.waitScope);
    }
  }

  // The logs of all processes, for the message of a failure.
  std::string logs() const override;

private:
  kj::AsyncIoContext& io;
  gavel::testing::TemporaryDirectory directory_;
  SystemRandom random;
  Options options;
  std::string masterAddress_;
  std::vector<std::string> nodeAddresses;
  std::unique_ptr<Process> master_;
  std::vector<std::unique_ptr<Process>> nodes;
  std::vector<kj::String> seeds;

  std::string dataOf(const std::string& name) const;
  Flags gavelCommand(const std::string& as, const Flags& arguments) const;
  std::string newAddressOf(std::size_t i) const;
  void spawnNode(std::size_t i, const Flags& flags);
  kj::Own<Connection> connect(const std::string& address);
  capnp::Response<schema::Topology::NodesResults> known();
};

}  // namespace gavel::cluster
