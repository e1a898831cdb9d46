#include "tests/simulation/machine.h"

#include <kj/debug.h>

#include "master/rebuilder.h"
#include "master/service.h"

namespace gavel::simulation {
namespace {

constexpr unsigned MAX_CONNECTIONS = 1000;

// A port of this machine.  `network` must outlive the promise.
kj::Promise<kj::Own<kj::ConnectionReceiver>> listen(kj::Network& network,
                                                    const std::string& address) {
  return network.parseAddress(address.c_str()).then([](kj::Own<kj::NetworkAddress> parsed) {
    return parsed->listen();
  });
}

}  // namespace

void Machine::start() {
  KJ_REQUIRE(!runs(), "it runs already", name_.c_str());
  if (!wire.hasPower(host_)) wire.powerOn(host_);
  ++starts_;
  disturbed = engine.now();
  process_ = &engine.newProcess(name_, dice.fork(), wallOffset);
  process_->onDeath = [this]() {
    if (!losingPower) wire.processEnded(*process_);
    ended(losingPower);
  };
  engine.deliver(*process_, [this]() {
    engine.note("started");
    run(*process_);
  });
}

void Machine::kill(std::string_view why) {
  engine.kill(*process_, why);
}

void Machine::losePower() {
  losingPower = true;
  wire.powerOff(host_);
  engine.kill(*process_, "power lost");
  // Its listeners are closed now that nobody is notified.
  wire.processEnded(*process_);
  losingPower = false;
}

// The work of main() of gavel-node.
class NodeMachine::Program final {
public:
  Program(NodeMachine& machine, Process& process)
      : network(machine.wire.network(process, machine.host())),
        store(machine.disk_.open(process)),
        running(listen(*network, machine.address())
                    .then([this](kj::Own<kj::ConnectionReceiver> opened) {
                      listener = kj::mv(opened);
                      return store->load();
                    })
                    .then([this, &machine, &process](Image image) {
                      node = kj::heap<node::Node>(*network, process.timer(), process.clock(),
                                                  process.random(), *store, kj::mv(image),
                                                  machine.options);
                      server = kj::heap<Server>(node->service(), process.timer(), MAX_CONNECTIONS);
                      machine.node_ = node.get();
                      return server->listen(*listener).exclusiveJoin(node->run());
                    })
                    .eagerlyEvaluate([&process](kj::Exception&& exception) {
                      process.engine().exit(
                          kj::str("gave up: ", exception.getDescription()).cStr());
                    })) {}
  KJ_DISALLOW_COPY(Program);

private:
  kj::Own<kj::Network> network;
  kj::Own<Store> store;
  kj::Own<kj::ConnectionReceiver> listener;
  kj::Own<node::Node> node;
  kj::Own<Server> server;
  kj::Promise<void> running;
};

NodeMachine::NodeMachine(Engine& engine, Wire& wire, Dice dice, std::string name,
                         Disk::Settings disk, node::NodeOptions nodeOptions)
    : Machine(engine, wire, dice, std::move(name)),
      disk_(engine, this->dice.fork(), disk),
      options(std::move(nodeOptions)) {
  options.name = this->name();
  options.address = address();
}

void NodeMachine::run(Process& process) {
  process.program = kj::heap<Program>(*this, process);
}

void NodeMachine::ended(bool power) {
  node_ = nullptr;
  if (power) {
    disk_.powerLost();
  } else {
    disk_.processEnded();
  }
}

// The work of main() of gavel-master.
class MasterMachine::Program final {
public:
  Program(MasterMachine& machine, Process& process)
      : network(machine.wire.network(process, machine.host())),
        store(machine.store->open(process)),
        running(listen(*network, machine.address())
                    .then([this, &machine, &process](kj::Own<kj::ConnectionReceiver> opened) {
                      listener = kj::mv(opened);
                      return rebuild(machine, process);
                    })
                    .then([this, &machine, &process]() {
                      return master::Master::open(process.timer(), *network, *store,
                                                  process.clock(), process.random(),
                                                  machine.settings);
                    })
                    .then([this, &machine, &process](kj::Own<master::Master> made) {
                      master = kj::mv(made);
                      server = kj::heap<Server>(master::serve(*master), process.timer(),
                                                MAX_CONNECTIONS);
                      machine.master_ = master.get();
                      return server->listen(*listener).exclusiveJoin(master->failure());
                    })
                    .eagerlyEvaluate([&process](kj::Exception&& exception) {
                      process.engine().exit(
                          kj::str("this master cannot go on: ", exception.getDescription()).cStr());
                    })) {}
  KJ_DISALLOW_COPY(Program);

private:
  kj::Own<kj::Network> network;
  kj::Own<master::ConfigStore> store;
  kj::Own<master::Rebuilder> rebuilder;
  kj::Own<kj::ConnectionReceiver> listener;
  kj::Own<master::Master> master;
  kj::Own<Server> server;
  kj::Promise<void> running;

  // The operator starts it with --rebuild while its store is empty.
  kj::Promise<void> rebuild(MasterMachine& machine, Process& process) {
    if (!machine.store->lost()) return kj::READY_NOW;
    rebuilder =
        kj::heap<master::Rebuilder>(*network, process.timer(), process.clock(), process.random(),
                                    *store, master::Rebuilder::Options{machine.clusterNodes, {}});
    return rebuilder->run().ignoreResult();
  }
};

void MasterMachine::run(Process& process) {
  process.program = kj::heap<Program>(*this, process);
}

}  // namespace gavel::simulation
