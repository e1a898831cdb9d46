#include "tests/cluster/namespaces.h"

#include <cstdlib>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>

namespace gavel::cluster {
namespace {

constexpr const char* TABLE = "inet gavel";

bool succeeds(const std::string& command) {
  return std::system(command.c_str()) == 0;
}

// A process in a network namespace of its own, which does nothing.
pid_t holdNamespace() {
  int ready[2];
  KJ_SYSCALL(pipe(ready));
  pid_t pid;
  KJ_SYSCALL(pid = fork());
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char made = unshare(CLONE_NEWNET) == 0 ? 1 : 0;
    if (write(ready[1], &made, 1) != 1 || made == 0) _exit(1);
    for (;;) pause();
  }
  char made = 0;
  KJ_SYSCALL(read(ready[0], &made, 1));
  close(ready[0]);
  close(ready[1]);
  KJ_REQUIRE(made == 1, "no network namespace can be made");
  return pid;
}

}  // namespace

std::string Namespaces::whyNot() {
  if (geteuid() != 0) return "only root may make network namespaces";
  for (auto* program: {"ip", "nft", "nsenter", "unshare"}) {
    if (!succeeds(std::string("command -v ") + program + " >/dev/null 2>&1")) {
      return std::string(program) + " is not installed (scripts/setup)";
    }
  }
  // Everything that is needed later, tried on something that is removed at once.
  bool allowed = succeeds(
      "unshare --net sh -c 'ip link add gavel0 type bridge && "
      "ip link add gavel1 type veth peer name gavel2 && nft add table inet gavel' >/dev/null 2>&1");
  return allowed ? "" : "the kernel allows no namespaces, bridges, veth or nftables here";
}

Namespaces::Namespaces(std::size_t machines) {
  KJ_SYSCALL(unshare(CLONE_NEWNET));
  run("ip link set lo up");
  run("ip link add bridge0 type bridge");
  run("ip addr add " + ownHost() + "/24 dev bridge0");
  run("ip link set bridge0 up");
  for (std::size_t i = 0; i < machines; ++i) {
    holders.push_back(holdNamespace());
    auto cable = "cable" + std::to_string(i);
    run("ip link add " + cable + " type veth peer name eth0 netns " + std::to_string(holders[i]));
    run("ip link set " + cable + " master bridge0 up");
    runOn(i, "ip link set lo up");
    runOn(i, "ip addr add " + host(i) + "/24 dev eth0");
    runOn(i, "ip link set eth0 up");
  }
  heal();
}

Namespaces::~Namespaces() noexcept(false) {
  for (auto pid: holders) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
}

std::vector<std::string> Namespaces::launcher(std::size_t machine) const {
  return {"/usr/bin/nsenter", "--net", "--target", std::to_string(holders[machine])};
}

void Namespaces::cut(std::size_t from, std::size_t to, Kind kind) {
  // Of TCP only if the sender is notified: its answer comes from the other end, which may be cut as
  // well.
  std::string what;
  switch (kind) {
    case Kind::drop:
      what = "drop";
      break;
    case Kind::reject:
      what = "meta l4proto tcp reject";
      break;
    case Kind::reset:
      what = "meta l4proto tcp reject with tcp reset";
      break;
    case Kind::large:
      what = "meta length gt 1000 drop";
      break;
  }
  runOn(to, std::string("nft add rule ") + TABLE + " input ip saddr " + host(from) + " " + what);
}

void Namespaces::heal() {
  for (std::size_t i = 0; i < holders.size(); ++i) {
    // The table is made first, since one that does not exist cannot be deleted.
    runOn(i, std::string("nft add table ") + TABLE);
    runOn(i, std::string("nft delete table ") + TABLE);
    runOn(i, std::string("nft add table ") + TABLE);
    runOn(i, std::string("nft 'add chain ") + TABLE +
                 " input { type filter hook input priority 0; }'");
  }
}

void Namespaces::unplug(std::size_t machine) {
  run("ip link set cable" + std::to_string(machine) + " down");
}

void Namespaces::plug(std::size_t machine) {
  run("ip link set cable" + std::to_string(machine) + " up");
}

void Namespaces::run(const std::string& command) const {
  KJ_REQUIRE(succeeds(command), "a command failed", command.c_str());
}

void Namespaces::runOn(std::size_t machine, const std::string& command) const {
  run("nsenter --net --target " + std::to_string(holders[machine]) + " " + command);
}

}  // namespace gavel::cluster
