#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include <kj/common.h>

namespace gavel::cluster {

// Machines with a network between them, made of the kernel's network namespaces: one for this
// process, from then on and for all that it starts, with an address on a bridge, and one for each
// machine, joined to that bridge by a cable of its own.  All of it ends with this process.
//
// Takes root, iproute2, util-linux and nftables.
class Namespaces {
public:
  // Why there can be none on this machine; empty: there can.
  static std::string whyNot();

  explicit Namespaces(std::size_t machines);
  ~Namespaces() noexcept(false);
  KJ_DISALLOW_COPY(Namespaces);

  // Of this process, as the machines see it, and of a machine.
  std::string ownHost() const { return "10.77.0.1"; }
  std::string host(std::size_t machine) const { return "10.77.0." + std::to_string(11 + machine); }
  // What a program is started with, to run on a machine.
  std::vector<std::string> launcher(std::size_t machine) const;

  enum class Kind {
    drop,    // Packets vanish.
    reject,  // The sender is told that there is no way (ICMP).
    reset,   // Connections are broken, and refused.
    large,   // Those above 1000 bytes vanish.
  };
  // Packets on their way from one machine to another, until heal(): on arrival.
  void cut(std::size_t from, std::size_t to, Kind kind);
  // All that was cut.
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
