#include "tests/cluster/cluster.h"

#include <kj/debug.h>

#include "base/connection.h"

namespace gavel::cluster {
namespace {

constexpr auto PATIENCE = 10 * kj::SECONDS;

// "gavel-node n1 ready on 127.0.0.1:1234" gives the address.
std::string lastWord(const std::string& line) {
  return line.substr(line.rfind(' ') + 1);
}

std::string nameOf(std::size_t i) {
  return "n" + std::to_string(i + 1);
}

}  // namespace

Cluster::Cluster(kj::AsyncIoContext& io, std::size_t count, std::vector<std::string> flags)
    : io(io), masterFlags(std::move(flags)), nodeAddresses(count, "127.0.0.1:0"), nodes(count) {
  masterFlags.insert(masterFlags.begin(), {"--replicas", std::to_string(count)});
  startMaster();
  for (std::size_t i = 0; i < count; ++i) startNode(i);
  until("the chain to form",
        [&]() { return configuration(masterAddress_).getConfiguration().getEpoch() > 0; });
}

void Cluster::startMaster() {
  std::vector<std::string> command = {binary("gavel-master"), "--listen", masterAddress_, "--data",
                                      directory() + "/master"};
  command.insert(command.end(), masterFlags.begin(), masterFlags.end());
  master_ = std::make_unique<Process>(io, command, directory() + "/master.log");
  masterAddress_ = lastWord(master_->readLine());
}

void Cluster::startNode(std::size_t i) {
  auto name = nameOf(i);
  std::vector<std::string> command = {
      binary("gavel-node"), "--name",         name,
      "--listen",           nodeAddresses[i], "--master",
      masterAddress_,       "--data",         directory() + "/" + name};
  nodes[i] = std::make_unique<Process>(io, command, directory() + "/" + name + ".log");
  nodeAddresses[i] = lastWord(nodes[i]->readLine());
}

void Cluster::addSpare() {
  nodeAddresses.push_back("127.0.0.1:0");
  nodes.emplace_back();
  startNode(nodes.size() - 1);
}

void Cluster::restartMaster() {
  master_ = nullptr;
  startMaster();
}

void Cluster::restartNode(std::size_t i) {
  nodes[i] = nullptr;
  startNode(i);
}

std::string Cluster::servers() const {
  std::string result;
  for (auto& address: nodeAddresses) result += (result.empty() ? "" : ",") + address;
  return result;
}

std::unique_ptr<client::Client> Cluster::newClient(kj::Duration timeout) {
  seeds.clear();
  for (auto& address: nodeAddresses) seeds.push_back(kj::str(address.c_str()));
  seeds.push_back(kj::str(masterAddress_.c_str()));
  client::Client::Limits limits;
  limits.timeout = timeout;
  return std::make_unique<client::Client>(io.provider->getNetwork(), io.provider->getTimer(),
                                          random, kj::arrayPtr(seeds.data(), seeds.size()), limits);
}

kj::Own<Connection> Cluster::connect(const std::string& address) {
  return Connection::open(io.provider->getNetwork(), io.provider->getTimer(), address.c_str(),
                          PATIENCE)
      .wait(io.waitScope);
}

capnp::Response<schema::Topology::ConfigurationResults> Cluster::configuration(
    const std::string& address) {
  auto connection = connect(address);
  auto request = connection->bootstrap<schema::Topology>().configurationRequest();
  return io.provider->getTimer().timeoutAfter(PATIENCE, request.send()).wait(io.waitScope);
}

capnp::Response<schema::Topology::StatusResults> Cluster::status(std::size_t i,
                                                                 bool withStateHash) {
  auto connection = connect(nodeAddresses[i]);
  auto request = connection->bootstrap<schema::Topology>().statusRequest();
  request.setWithStateHash(withStateHash);
  return io.provider->getTimer().timeoutAfter(PATIENCE, request.send()).wait(io.waitScope);
}

std::string Cluster::logs() const {
  std::string result = "\n-- master\n" + master_->log();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i] != nullptr) result += "-- " + nameOf(i) + "\n" + nodes[i]->log();
  }
  return result;
}

}  // namespace gavel::cluster
