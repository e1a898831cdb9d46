#pragma once

#include <string>
#include <vector>

#include "client/cli/child.h"
#include "client/cli/context.h"

namespace gavel::client::cli {

// A master and nodes on loopback that are children of this process: the master listens on `port`,
// the nodes n1, n2, … on the next ones.  Data and logs are in `directory`, which may have been used
// before.
class LocalChain final: private kj::TaskSet::ErrorHandler {
public:
  struct Plan {
    unsigned nodes = 3;
    unsigned replicas = 3;  // Members that the chain is to have; the other nodes are spares.
    unsigned port = 7400;
    std::string directory;  // Empty: a new one under $TMPDIR.
    // Whether to say of each child that ends that it does.
    bool tls = false;
    bool protect = false;  // With a peer secret and an admin token, made in the directory.
    bool tellEnds = true;
  };

  // Throws EnvironmentError if the executables, the ports or the directory are not there for it.
  LocalChain(Context& context, Plan plan);
  ~LocalChain() noexcept(false) = default;
  KJ_DISALLOW_COPY(LocalChain);

  // Resolves once all processes listen.  Fails, described for people, if one of them ended instead.
  kj::Promise<void> start();

  // Resolves when `members` of the nodes of this run serve, or at `limit`, with how many do.
  // counted() and notice() are of the last look, also while this waits.
  kj::Promise<unsigned> waitForMembers(unsigned members, kj::TimePoint limit);
  unsigned counted() const { return serving; }
  const std::string& notice() const { return notice_; }

  // Ends all of them, by SIGKILL where SIGTERM takes too long.
  kj::Promise<void> stop();

  // 0 is the master, 1 is n1.  Once started.
  std::string address(unsigned place) const;
  std::vector<std::string> addresses() const;
  Child& child(unsigned place) { return *children[place]; }
  unsigned size() const { return plan.nodes + 1; }
  // Absolute.
  const std::string& directory() const { return plan.directory; }
  // By its name as a node; throws if there is none.
  Child& node(const std::string& name);
  // Of the whole chain.
  Client& client() { return *client_; }

private:
  Context& context;
  Plan plan;
  std::string master;  // Executables.
  std::string executable;
  kj::Own<Client> client_;
  kj::Vector<kj::Own<Child>> children;  // The master, then the nodes.
  bool stopping = false;
  unsigned serving = 0;
  std::string notice_;
  kj::TaskSet tasks;

  Child& add(const std::string& name, std::vector<std::string> arguments);
  kj::Promise<void> look();
  void taskFailed(kj::Exception&& exception) override;
};

// The first of `count` ports in a row on loopback that nobody uses now, from `from` on.  Throws
// EnvironmentError if there are none.
unsigned freePorts(unsigned from, unsigned count);

}  // namespace gavel::client::cli
