#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include <kj/common.h>

namespace gavel::cluster {

// Machines with a network between them, made of the kernel's network namespaces.  This process,
// with all that it starts later, is in one, with an address on a bridge.  Each machine has another
// one, connected to that bridge by a cable of its own.  All of it ends with this process.
//
// Needs root, iproute2, util-linux and nftables.
class Namespaces {
public:
  // Why this machine cannot have them; empty: it can.
  static std::string whyNot();

  explicit Namespaces(std::size_t machines);
  ~Namespaces() noexcept(false);
  KJ_DISALLOW_COPY(Namespaces);

  // The address of this process, as the machines see it, and that of a machine.
  std::string ownHost() const { return "10.77.0.1"; }
  std::string host(std::size_t machine) const { return "10.77.0." + std::to_string(11 + machine); }
  // The command that runs a program on a machine.
  std::vector<std::string> launcher(std::size_t machine) const;

  enum class Kind {
    drop,    // Packets vanish.
    reject,  // The sender is notified that there is no way (ICMP).
    reset,   // Connections are broken, and refused.
    large,   // Packets above 1000 bytes vanish.
  };
  // Cuts packets from one machine to another, on arrival, until heal().
  void cut(std::size_t from, std::size_t to, Kind kind);
  // Heals everything that was cut.
  void heal();
  // Pulls a machine's cable, and puts it back.
  void unplug(std::size_t machine);
  void plug(std::size_t machine);

private:
  std::vector<pid_t> holders;  // Processes that hold the machines' namespaces.

  void run(const std::string& command) const;
  void runOn(std::size_t machine, const std::string& command) const;
};

}  // namespace gavel::cluster
