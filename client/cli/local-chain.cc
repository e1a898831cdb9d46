#include "client/cli/local-chain.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "base/certificates.h"
#include "base/secret.h"
#include "client/cli/known-clusters.h"
#include "client/cli/survey.h"

namespace gavel::client::cli {
namespace {

constexpr auto START_LIMIT = 15 * kj::SECONDS;
constexpr auto LOOK_AGAIN = 30 * kj::MILLISECONDS;
constexpr auto STOP_LIMIT = 3 * kj::SECONDS;
constexpr unsigned HIGHEST_PORT = 65535;
constexpr char HOST[] = "127.0.0.1";

// Returns why nobody can listen on `port` now; 0: it is free.
int whyTaken(unsigned port) {
  kj::AutoCloseFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  struct sockaddr_in address {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, HOST, &address.sin_addr);
  if (bind(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof(address)) == 0) return 0;
  return errno;
}

// An error here is easier to see than one in a child's log.
void checkFree(const std::string& what, unsigned port) {
  if (int error = whyTaken(port); error != 0) {
    throw EnvironmentError("port " + std::to_string(port) + " for " + what +
                           " cannot be used: " + strerror(error) + "; choose others with --port");
  }
}

std::string findExecutable(const std::string& name) {
  std::error_code error;
  auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  auto path = self.parent_path() / name;
  if (error || access(path.c_str(), X_OK) != 0) {
    throw EnvironmentError(path.string() + " is missing: it belongs next to gavel");
  }
  return path;
}

std::string makeDirectory(const std::string& wanted) {
  std::string directory = wanted;
  if (directory.empty()) {
    auto* base = std::getenv("TMPDIR");
    directory = std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/gavel-XXXXXX";
    if (mkdtemp(directory.data()) == nullptr) {
      throw EnvironmentError("cannot make directory " + directory + ": " + strerror(errno));
    }
  }
  std::error_code error;
  std::filesystem::create_directories(directory + "/logs", error);
  if (error) {
    throw EnvironmentError("cannot make directory " + directory + "/logs: " + error.message());
  }
  return std::filesystem::absolute(directory);
}

std::string nameOf(unsigned place) {
  return place == 0 ? "master" : "n" + std::to_string(place);
}

}  // namespace

LocalChain::LocalChain(Context& context, Plan wanted)
    : context(context),
      plan(std::move(wanted)),
      master(findExecutable("gavel-master")),
      executable(findExecutable("gavel-node")),
      tasks(*this) {
  for (unsigned i = 0; i <= plan.nodes; ++i) {
    checkFree(i == 0 ? "the master" : "node " + nameOf(i), plan.port + i);
  }
  plan.directory = makeDirectory(plan.directory);
}

std::string LocalChain::address(unsigned place) const {
  return std::string(HOST) + ":" + std::to_string(plan.port + place);
}

std::vector<std::string> LocalChain::addresses() const {
  std::vector<std::string> all;
  for (unsigned i = 0; i <= plan.nodes; ++i) all.push_back(address(i));
  return all;
}

Child& LocalChain::node(const std::string& name) {
  for (auto& child: children) {
    if (child->name == name) return *child;
  }
  KJ_FAIL_REQUIRE("no such node", name);
}

kj::Promise<void> LocalChain::start() {
  std::vector<std::string> protection;
  if (plan.tls) {
    makeLocalCertificates(plan.directory);
    protection = {"--tls-cert", plan.directory + "/node.pem",
                  "--tls-key",  plan.directory + "/node.key",
                  "--tls-ca",   plan.directory + "/ca.pem"};
    context.useTls(plan.directory + "/ca.pem");
  }
  // Whoever starts a chain means that chain.
  KnownClusters::forget(addresses());
  client_ = context.clientFor(addresses());
  if (plan.protect) {
    for (std::string what: {"peer-secret", "admin-token"}) {
      auto file = plan.directory + "/" + what;
      if (!std::filesystem::exists(file)) makeSecret(file);
      protection.insert(protection.end(), {"--" + what + "-file", file});
    }
  }
  std::vector<std::string> command = {master, "--listen", address(0), "--data",
                                      plan.directory + "/master", "--replicas",
                                      std::to_string(plan.replicas),
                                      // All nodes are started together, on this machine.
                                      "--outage-wait", "1s"};
  command.insert(command.end(), protection.begin(), protection.end());
  auto& leader = add("master", command);
  return leader.ready().then([this, protection]() {
    kj::Vector<kj::Promise<void>> all;
    for (unsigned i = 1; i <= plan.nodes; ++i) {
      auto name = nameOf(i);
      std::vector<std::string> command = {executable, "--name",   name,
                                          "--listen", address(i), "--master",
                                          address(0), "--data",   plan.directory + "/" + name};
      command.insert(command.end(), protection.begin(), protection.end());
      all.add(add(name, command).ready());
    }
    return context.timer().timeoutAfter(START_LIMIT, kj::joinPromises(all.releaseAsArray()));
  });
}

Child& LocalChain::add(const std::string& name, std::vector<std::string> arguments) {
  auto& child = *children.add(kj::heap<Child>(context.io, name, std::move(arguments),
                                              plan.directory + "/logs/" + name + ".log"));
  tasks.add(child.ended().then([this, &child](std::string how) {
    if (stopping || !plan.tellEnds) return;
    context.print.note(child.name + " (pid " + std::to_string(child.pid) + ") " + how +
                       "; its log: " + child.logPath);
  }));
  return child;
}

kj::Promise<unsigned> LocalChain::waitForMembers(unsigned members, kj::TimePoint limit) {
  return look().then([this, members, limit]() -> kj::Promise<unsigned> {
    if (serving >= members || context.timer().now() >= limit) return serving;
    return context.timer().afterDelay(LOOK_AGAIN).then([this, members, limit]() {
      return waitForMembers(members, limit);
    });
  });
}

// Counts processes of this run only.  If the directory was used before, the configuration names the
// processes of the earlier run as serving until the master has stored another one.
kj::Promise<void> LocalChain::look() {
  return survey(client_->locator(), context.timer()).then([this](kj::Own<Survey> survey) {
    serving = 0;
    notice_ = printable(survey->nodes.get().getNotice());
    if (!survey->master) return;
    for (auto node: survey->nodes.get().getNodes()) {
      KJ_IF_MAYBE (member, survey->memberOf(node.getStatus())) {
        bool serves = member->getState() == schema::Member::State::SERVING;
        if (serves && node.getConnected()) ++serving;
      }
    }
  });
}

kj::Promise<void> LocalChain::stop() {
  stopping = true;
  client_ = nullptr;
  kj::Vector<kj::Promise<void>> all;
  for (auto& child: children) {
    child->signal(SIGTERM);
    child->signal(SIGCONT);  // A paused process cannot obey.
    all.add(child->ended().ignoreResult());
  }
  tasks.add(context.timer().afterDelay(STOP_LIMIT).then([this]() {
    for (auto& child: children) child->signal(SIGKILL);
  }));
  return kj::joinPromises(all.releaseAsArray());
}

void LocalChain::taskFailed(kj::Exception&& exception) {
  context.print.error(reasonOf(exception).cStr());
}

unsigned freePorts(unsigned from, unsigned count) {
  unsigned found = 0;
  for (unsigned port = from; port <= HIGHEST_PORT; ++port) {
    found = whyTaken(port) == 0 ? found + 1 : 0;
    if (found == count) return port - count + 1;
  }
  throw EnvironmentError("there are no " + std::to_string(count) + " free ports in a row from " +
                         std::to_string(from) + " on; name some with --port");
}

}  // namespace gavel::client::cli
