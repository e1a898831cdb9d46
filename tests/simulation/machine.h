#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/server.h"
#include "master/master.h"
#include "node/node.h"
#include "tests/simulation/config-store.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/engine.h"
#include "tests/simulation/wire.h"

namespace gavel::simulation {

constexpr unsigned PORT = 7400;

// A machine of the simulated world, with its process if one runs.  Faults strike machines.  All
// methods are called from events of the world.
class Machine {
public:
  Machine(Engine& engine, Wire& wire, Dice dice, std::string name)
      : engine(engine),
        wire(wire),
        dice(dice),
        name_(std::move(name)),
        host_(wire.addHost(name_)) {}
  virtual ~Machine() noexcept(false) = default;
  KJ_DISALLOW_COPY(Machine);

  const std::string& name() const { return name_; }
  Host host() const { return host_; }
  std::string address() const { return name_ + ":" + std::to_string(PORT); }

  bool runs() const { return process_ != nullptr && process_->alive(); }
  bool paused() const { return runs() && process_->state() == Process::State::paused; }
  bool is(const Process& process) const { return process_ == &process; }
  Process& process() { return *process_; }
  unsigned starts() const { return starts_; }

  // Starts its process; power comes back with it.
  void start();
  // Acts like SIGKILL.
  void kill(std::string_view why);
  // The machine loses power, with what its disk has not synced.
  void losePower();
  void pause() {
    disturbed = engine.now();
    engine.pause(*process_);
  }
  void resume() {
    disturbed = engine.now();
    engine.resume(*process_);
  }
  // Whether its process was paused, ended or started since `since`.
  bool disturbedSince(Time since) const { return paused() || !runs() || disturbed >= since; }

  // The difference of the wall clock from the true time, in ns.
  std::int64_t wallOffset = 0;

protected:
  Engine& engine;
  Wire& wire;
  Dice dice;

  // Makes the process's program.  Called within the process.
  virtual void run(Process& process) = 0;
  // The process has died; its program is still there.
  virtual void ended(bool power) {}

private:
  std::string name_;
  Host host_;
  Process* process_ = nullptr;
  unsigned starts_ = 0;
  Time disturbed = 0 * kj::NANOSECONDS;
  bool losingPower = false;
};

// A machine with a node of the chain, like gavel-node.
class NodeMachine final: public Machine {
public:
  NodeMachine(Engine& engine, Wire& wire, Dice dice, std::string name, Disk::Settings disk,
              node::NodeOptions options);

  // Null while it does not run, or has not opened its store yet.
  node::Node* node() { return runs() ? node_ : nullptr; }
  Disk& disk() { return disk_; }

private:
  class Program;

  Disk disk_;
  node::NodeOptions options;
  node::Node* node_ = nullptr;

  void run(Process& process) override;
  void ended(bool power) override;
};

// A machine with a master, like gavel-master.
class MasterMachine final: public Machine {
public:
  MasterMachine(Engine& engine, Wire& wire, Dice dice, std::string name, SharedConfigStore& store,
                master::Settings settings)
      : Machine(engine, wire, dice, std::move(name)), store(&store), settings(settings) {}

  // The store that it uses from its next start on.
  void use(SharedConfigStore& other) { store = &other; }
  bool uses(const SharedConfigStore& other) const { return store == &other; }
  // The addresses of nodes, for making a lost store anew.
  std::vector<std::string> clusterNodes;

  // Null while it does not run, or has not read the stored document yet.
  master::Master* master() { return runs() ? master_ : nullptr; }

private:
  class Program;

  SharedConfigStore* store;
  master::Settings settings;
  master::Master* master_ = nullptr;

  void run(Process& process) override;
  void ended(bool power) override { master_ = nullptr; }
};

}  // namespace gavel::simulation
