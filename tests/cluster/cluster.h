#pragma once

#include <memory>
#include <string>
#include <vector>

#include <kj/async-io.h>

#include "base/random.h"
#include "client/client.h"
#include "tests/cluster/process.h"
#include "tests/support/fakes.h"
#include "tests/support/workload.h"

namespace gavel::cluster {

// A master and nodes as real processes, on loopback and in a temporary directory.  The nodes are
// named n1, n2, …; that is also their first order in the chain.
class Cluster final: public gavel::testing::Target {
public:
  Cluster(kj::AsyncIoContext& io, std::size_t nodes, std::vector<std::string> masterFlags = {});
  KJ_DISALLOW_COPY(Cluster);

  Process& master() { return *master_; }
  Process& node(std::size_t i) { return *nodes[i]; }
  std::size_t size() const { return nodes.size(); }

  // One more node than the chain is to have.
  void addSpare();

  // On the ports they had before.
  void restartMaster();
  void restartNode(std::size_t i);

  const std::string& masterAddress() const { return masterAddress_; }
  const std::string& nodeAddress(std::size_t i) const { return nodeAddresses[i]; }
  const std::string& directory() const { return directory_.path(); }
  // The addresses of all nodes.
  std::string servers() const;

  // A client that knows all nodes and the master.
  std::unique_ptr<client::Client> newClient() override { return newClient(20 * kj::SECONDS); }
  std::unique_ptr<client::Client> newClient(kj::Duration timeout);

  // What a process says of the chain, asked over a connection of its own.
  capnp::Response<schema::Topology::ConfigurationResults> configuration(const std::string& address);
  capnp::Response<schema::Topology::StatusResults> status(std::size_t i,
                                                          bool withStateHash = false);

  // Waits until `condition`, asked again and again, holds.
  template <typename Condition>
  void until(const char* what, Condition condition, kj::Duration patience = 15 * kj::SECONDS) {
    auto& timer = io.provider->getTimer();
    auto end = timer.now() + patience;
    while (!condition()) {
      KJ_REQUIRE(timer.now() < end, "gave up waiting", what, logs().c_str());
      timer.afterDelay(5 * kj::MILLISECONDS).wait(io.waitScope);
    }
  }

  // Of all processes, for a failure's message.
  std::string logs() const override;

private:
  kj::AsyncIoContext& io;
  gavel::testing::TemporaryDirectory directory_;
  SystemRandom random;
  std::vector<std::string> masterFlags;
  std::string masterAddress_ = "127.0.0.1:0";
  std::vector<std::string> nodeAddresses;
  std::unique_ptr<Process> master_;
  std::vector<std::unique_ptr<Process>> nodes;
  std::vector<kj::String> seeds;

  void startMaster();
  void startNode(std::size_t i);
  kj::Own<Connection> connect(const std::string& address);
};

}  // namespace gavel::cluster
