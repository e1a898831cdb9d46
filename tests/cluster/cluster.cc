#include "tests/cluster/cluster.h"

#include <algorithm>
#include <fstream>
#include <signal.h>
#include <sstream>

#include <gtest/gtest.h>
#include <kj/debug.h>

#include "base/connection.h"

namespace gavel::cluster {
namespace {

constexpr auto PATIENCE = 10 * kj::SECONDS;
// A store that was killed has a log to read, which takes a while on a busy machine.
constexpr auto START_PATIENCE = 30 * kj::SECONDS;
// The part of each log that the message of a failure shows.
constexpr std::size_t LOG_SHOWN = 20'000;

// The address in "gavel-node n1 ready on 127.0.1.2:1234".
std::string lastWord(const std::string& line) {
  return line.substr(line.rfind(' ') + 1);
}

std::string nameOf(std::size_t i) {
  return "n" + std::to_string(i + 1);
}

std::size_t numberOf(kj::StringPtr name) {
  return std::stoul(name.slice(1).cStr()) - 1;
}

std::string endOf(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  auto all = text.str();
  if (all.size() <= LOG_SHOWN) return all;
  auto begin = all.find('\n', all.size() - LOG_SHOWN);
  return "...\n" + all.substr(begin == std::string::npos ? all.size() - LOG_SHOWN : begin + 1);
}

Cluster::Options optionsOf(std::size_t replicas, Flags masterFlags) {
  Cluster::Options options;
  options.replicas = replicas;
  options.masterFlags = std::move(masterFlags);
  return options;
}

void append(Flags& flags, const Flags& more) {
  flags.insert(flags.end(), more.begin(), more.end());
}

}  // namespace

Cluster::Cluster(kj::AsyncIoContext& io, std::size_t replicas, Flags masterFlags)
    : Cluster(io, optionsOf(replicas, std::move(masterFlags))) {}

Cluster::Cluster(kj::AsyncIoContext& io, Options given): io(io), options(std::move(given)) {
  if (options.data.empty()) options.data = directory();
  masterAddress_ = options.host.empty() ? gavel::testing::ownAddress() : options.host + ":0";
  options.masterFlags.insert(options.masterFlags.begin(),
                             {"--replicas", std::to_string(options.replicas)});
  // A master with an empty directory waits that long before it forms a chain.
  auto& flags = options.masterFlags;
  if (std::find(flags.begin(), flags.end(), "--outage-wait") == flags.end()) {
    append(flags, {"--outage-wait", "1s"});
  }
  restartMaster();
  for (std::size_t i = 0; i < options.replicas; ++i) {
    nodeAddresses.push_back(newAddressOf(i));
    nodes.emplace_back();
    bool restored = i == 0 && !options.restore.empty();
    restartNode(i, restored ? Flags{"--restore", options.restore} : Flags());
  }
  until("the chain to form",
        [&]() { return configuration(masterAddress_).getConfiguration().getEpoch() > 0; });
}

// The system chooses the port.
std::string Cluster::newAddressOf(std::size_t i) const {
  if (i < options.nodeHosts.size()) return options.nodeHosts[i] + ":0";
  return gavel::testing::ownAddress();
}

std::size_t Cluster::addSpare() {
  nodeAddresses.push_back(newAddressOf(nodes.size()));
  nodes.emplace_back();
  restartNode(nodes.size() - 1);
  return nodes.size() - 1;
}

void Cluster::restartMaster(const Flags& flags) {
  master_ = nullptr;
  Flags command = {binary("gavel-master"), "--listen", masterAddress_, "--data", dataOf("master")};
  append(command, options.masterFlags);
  append(command, flags);
  master_ = std::make_unique<Process>(io, command, directory() + "/master.log");
  masterAddress_ = lastWord(master_->readLine());
}

void Cluster::spawnNode(std::size_t i, const Flags& flags) {
  nodes[i] = nullptr;
  auto name = nameOf(i);
  Flags command;
  if (i < options.launchers.size()) command = options.launchers[i];
  append(command, {binary("gavel-node"), "--name", name, "--listen", nodeAddresses[i], "--master",
                   masterAddress_, "--data", dataOf(i)});
  append(command, options.nodeFlags);
  append(command, flags);
  nodes[i] = std::make_unique<Process>(io, command, directory() + "/" + name + ".log");
}

void Cluster::restartNode(std::size_t i, const Flags& flags) {
  spawnNode(i, flags);
  nodeAddresses[i] = lastWord(nodes[i]->readLine(START_PATIENCE));
}

std::optional<Finished> Cluster::tryRestartNode(std::size_t i, const Flags& flags) {
  spawnNode(i, flags);
  auto line = nodes[i]->tryReadLine(START_PATIENCE);
  if (line.has_value()) {
    nodeAddresses[i] = lastWord(*line);
    return std::nullopt;
  }
  Finished ended;
  ended.status = nodes[i]->wait();
  ended.errors = nodes[i]->log();
  return ended;
}

void Cluster::killAll() {
  // It must not notice that nodes are gone.
  master_->signal(SIGKILL);
  for (auto& node: nodes) node->signal(SIGKILL);
  for (auto& node: nodes) node->kill();
  master_->kill();
}

std::string Cluster::dataOf(const std::string& name) const {
  return options.data + "/" + name;
}

std::string Cluster::dataOf(std::size_t i) const {
  return dataOf(nameOf(i));
}

std::string Cluster::servers() const {
  std::string result;
  for (auto& address: nodeAddresses) result += (result.empty() ? "" : ",") + address;
  return result;
}

Flags Cluster::gavelCommand(const std::string& as, const Flags& arguments) const {
  Flags command = {"/usr/bin/env",
                   "XDG_CONFIG_HOME=" + directory() + "/" + as,
                   "XDG_STATE_HOME=" + directory() + "/" + as,
                   binary("gavel"),
                   "--server",
                   servers() + "," + masterAddress_,
                   "--as",
                   as};
  append(command, arguments);
  return command;
}

Finished Cluster::gavel(const std::string& as, Flags arguments) {
  return runToEnd(io, gavelCommand(as, arguments));
}

std::unique_ptr<Process> Cluster::startGavel(const std::string& as, Flags arguments) {
  return std::make_unique<Process>(io, gavelCommand(as, arguments), directory() + "/gavel.log");
}

std::unique_ptr<client::Client> Cluster::newClient(kj::Duration timeout) {
  client::Client::Limits limits;
  limits.timeout = timeout;
  return newClient(limits);
}

std::unique_ptr<client::Client> Cluster::newClient(client::Client::Limits limits) {
  seeds.clear();
  for (auto& address: nodeAddresses) seeds.push_back(kj::str(address.c_str()));
  seeds.push_back(kj::str(masterAddress_.c_str()));
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

capnp::Response<schema::Topology::NodesResults> Cluster::known() {
  auto connection = connect(masterAddress_);
  auto request = connection->bootstrap<schema::Topology>().nodesRequest();
  return io.provider->getTimer().timeoutAfter(PATIENCE, request.send()).wait(io.waitScope);
}

bool Cluster::Chain::serves(std::size_t i) const {
  return std::find(serving.begin(), serving.end(), i) != serving.end();
}

Cluster::Chain Cluster::chain() {
  auto response = configuration(masterAddress_);
  Chain chain;
  chain.epoch = response.getConfiguration().getEpoch();
  for (auto member: response.getConfiguration().getMembers()) {
    if (member.getState() == schema::Member::State::SERVING) {
      chain.serving.push_back(numberOf(member.getName()));
    } else {
      chain.joining = true;
    }
  }
  return chain;
}

std::string Cluster::notice() {
  return known().getNotice().cStr();
}

std::string Cluster::noteOn(std::size_t i) {
  std::string note;
  auto response = known();
  for (auto entry: response.getNodes()) {
    if (entry.getStatus().getName() == nameOf(i).c_str()) note = entry.getNote().cStr();
  }
  return note;
}

bool Cluster::whole() {
  bool result = false;
  // Any of them may end during the call.
  auto problem = kj::runCatchingExceptions([&]() {
    auto now = chain();
    if (now.joining || now.serving.size() != options.replicas) return;
    for (auto i: now.serving) {
      auto response = status(i);
      auto role = response.getStatus().getRole();
      using Role = schema::NodeStatus::Role;
      bool acts =
          role == Role::HEAD || role == Role::MIDDLE || role == Role::TAIL || role == Role::SINGLE;
      if (!acts || response.getStatus().getEpoch() != now.epoch) return;
    }
    result = true;
  });
  return problem == nullptr && result;
}

void Cluster::untilWhole(kj::Duration patience) {
  until(
      "the chain to have its full length", [&]() { return whole(); }, patience);
}

void Cluster::untilWithout(std::size_t i) {
  until("the chain to go on without a node", [&]() { return !chain().serves(i); });
}

void Cluster::expectSameState() {
  auto members = chain().serving;
  ASSERT_FALSE(members.empty());
  auto last = status(members.front()).getStatus().getLast();
  std::string first;
  for (auto i: members) {
    until("all to be applied", [&]() { return status(i).getStatus().getApplied() == last; });
    auto response = status(i, true);
    auto bytes = response.getStatus().getStateHash();
    std::string hash(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
    EXPECT_EQ(hash.size(), 32u);
    if (first.empty()) first = hash;
    EXPECT_TRUE(hash == first) << nameOf(i) << " has another state than " << nameOf(members.front())
                               << " at index " << last << logs();
  }
}

std::string Cluster::logs() const {
  std::string result = "\n-- master\n" + endOf(directory() + "/master.log");
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    result += "-- " + nameOf(i) + "\n" + endOf(directory() + "/" + nameOf(i) + ".log");
  }
  return result;
}

}  // namespace gavel::cluster
