#pragma once

#include <functional>
#include <string>

#include <kj/async-io.h>
#include <kj/compat/tls.h>

#include "base/random.h"
#include "client/cli/exit-code.h"
#include "client/cli/output.h"
#include "client/cli/settings.h"
#include "client/client.h"

namespace CLI {
class App;
}

namespace gavel::client::cli {

// The surroundings of a command.  Lives as long as the command runs.
class Context {
public:
  Context(kj::AsyncIoContext& io, Random& random, const Settings& settings,
          std::vector<std::string> commandLine);

  kj::AsyncIoContext& io;
  Random& random;
  const Settings& settings;
  Printer print;

  // From this call on, connections use TLS with the certificates of the authority in this file.
  void useTls(std::string ca) { tlsCa = std::move(ca); }
  // The network to the chain, with TLS and the admin token if they are configured.
  kj::Network& network();

  kj::Timer& timer() { return io.provider->getTimer(); }

  // The client for the addresses of --server.
  Client& client();
  // A client for other addresses.
  kj::Own<Client> clientFor(const std::vector<std::string>& addresses);

  // The name of --as with its credential, which is made on first use.
  Identity identity() { return identity(self()); }
  Identity identity(const std::string& name);

  // Who acts: the name of --as, or the one typed since.
  const std::string& self() const { return self_; }
  void actAs(std::string name) { self_ = std::move(name); }

  // At the end of a command, remembers the cluster that was found.  If another one than before was
  // refused, says why and what to do.
  void noteCluster();

  // If the chain was not found yet, says so and why.
  void noteIfLost();

  // The command line as it was given, changed to ask about request `id`.
  std::string retryCommand(const RequestId& id) const;

  // Resolves when the user or the system asks this process to stop.
  kj::Promise<void> stopRequested() { return stop.addBranch(); }

private:
  std::string self_;
  std::string tlsCa;
  std::vector<std::string> commandLine;
  kj::Own<kj::TlsContext> tls;
  kj::Own<kj::Network> tlsNetwork;
  kj::Own<kj::Network> proving;
  kj::Maybe<kj::Own<Client>> ownClient;
  kj::Maybe<kj::Array<kj::byte>> credential;
  kj::ForkedPromise<void> stop;
};

// Carries a command out.  Resolves to the exit code.
using Run = std::function<kj::Promise<int>(Context&)>;

// The command that was chosen on the command line.
struct Command {
  // Checks the arguments and throws UsageError.  It is called once.
  std::function<Run()> prepare;
  // Whether the command handles stopRequested() itself.
  bool stopsItself = false;
  // Whether the command makes one request, whose id helps if it is interrupted.
  bool oneRequest = false;
};

// Each of these adds its subcommands to `app`.  The one that is used sets `chosen`.
void addBid(CLI::App& app, Command& chosen);
void addQueries(CLI::App& app, Command& chosen);
void addWatch(CLI::App& app, Command& chosen);
void addShell(CLI::App& app, Command& chosen);
void addAuctions(CLI::App& app, Command& chosen);
void addChain(CLI::App& app, Command& chosen);
// Adds --at NODE to the command of a query, and checks its value.
void addAt(CLI::App& query, std::string& node);
// These add to `gavel chain`.
void addOperate(CLI::App& chain, Command& chosen);
void addRecover(CLI::App& chain, Command& chosen);
void addClock(CLI::App& chain, Command& chosen);
void addBackup(CLI::App& chain, Command& chosen);
void addUp(CLI::App& app, Command& chosen);
void addReplay(CLI::App& app, Command& chosen);
void addBench(CLI::App& app, Command& chosen);
// To be called after all others.
void addCompletion(CLI::App& app, Command& chosen);

// Prints the result of a write and returns the exit code.  `what` names what may have failed
// ("120"); `success` makes the text for a success.
int report(Context& context, const WriteResult& result, const std::string& what,
           const std::function<std::string(schema::Outcome::Success::Reader)>& success);

// The same for a query that failed.
int report(Context& context, schema::QueryFailure::Reader failure);

}  // namespace gavel::client::cli
