#pragma once

#include <string>
#include <vector>

#include "client/cli/child.h"
#include "client/cli/context.h"

namespace gavel::client::cli {

// A master and nodes on loopback, as children of this process.  The master listens on `port`, the
// nodes n1, n2, … on the next ports.  Data and logs are in `directory`, which may be that of an
// earlier chain.
class LocalChain final: private kj::TaskSet::ErrorHandler {
public:
  struct Plan {
    unsigned nodes = 3;
    unsigned replicas = 3;  // Members that the chain is to have; the other nodes are spares.
    unsigned port = 7400;
    std::string directory;  // Empty: a new one under $TMPDIR.
    bool tls = false;
    bool protect = false;  // With a peer secret and an admin token, made in the directory.
    bool tellEnds = true;  // Report each child that ends.
  };

  // Throws EnvironmentError if an executable is missing, or if a port or the directory cannot be
  // used.
  LocalChain(Context& context, Plan plan);
  ~LocalChain() noexcept(false) = default;
  KJ_DISALLOW_COPY(LocalChain);

  // Resolves once all processes listen.  Fails with a text for people if one of them ends before.
  kj::Promise<void> start();

  // Resolves to the number of nodes of this run that serve: when it reaches `members`, or at
  // `limit`.  counted() and notice() are those of the last look, also while this waits.
  kj::Promise<unsigned> waitForMembers(unsigned members, kj::TimePoint limit);
  unsigned counted() const { return serving; }
  const std::string& notice() const { return notice_; }

  // Ends all of them, with SIGKILL if SIGTERM takes too long.
  kj::Promise<void> stop();

  // The address of one process: 0 is the master, 1 is n1.
  std::string address(unsigned place) const;
  std::vector<std::string> addresses() const;
  Child& child(unsigned place) { return *children[place]; }
  unsigned size() const { return plan.nodes + 1; }
  // An absolute path.
  const std::string& directory() const { return plan.directory; }
  // The node with this name; throws if there is none.
  Child& node(const std::string& name);
  // A client of the whole chain.  Null before start() and after stop().
  Client& client() { return *client_; }

private:
  Context& context;
  Plan plan;
  std::string master;  // Paths of executables.
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

// Returns the first of `count` ports in a row that are free on loopback, at `from` or after.
// Throws EnvironmentError if there are none.
unsigned freePorts(unsigned from, unsigned count);

}  // namespace gavel::client::cli
