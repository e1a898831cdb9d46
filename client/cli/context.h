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

// What a command works with.  Lives as long as the command runs.
class Context {
public:
  Context(kj::AsyncIoContext& io, Random& random, const Settings& settings,
          std::vector<std::string> commandLine);

  kj::AsyncIoContext& io;
  Random& random;
  const Settings& settings;
  Printer print;

  // From now on, with certificates of the authority in this file.
  void useTls(std::string ca) { tlsCa = std::move(ca); }
  // To the chain: with TLS and the admin token, where there are any.
  kj::Network& network();

  kj::Timer& timer() { return io.provider->getTimer(); }

  // A client for the addresses of --server.
  Client& client();
  // A client for other addresses.
  kj::Own<Client> clientFor(const std::vector<std::string>& addresses);

  // The name of --as with its credential, which is made on first use.
  Identity identity() { return identity(self()); }
  Identity identity(const std::string& name);

  // Who acts: --as, or who was asked since.
  const std::string& self() const { return self_; }
  void actAs(std::string name) { self_ = std::move(name); }

  // At the end of a command: remembers which cluster was found, or says why another one than before
  // was refused, and what to do.
  void noteCluster();

  // Tells the user if the chain was not found yet, and why.
  void noteIfLost();

  // The command line as it was given, made to ask about request `id`.
  std::string retryCommand(const RequestId& id) const;

  // Resolves when the user or the system wants this process to stop.
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

// Carries a command out and comes to the process's exit code.
using Run = std::function<kj::Promise<int>(Context&)>;

// A command as chosen on the command line.
struct Command {
  // Checks the arguments, and throws UsageError; called once.
  std::function<Run()> prepare;
  // It sees to stopRequested() itself.
  bool stopsItself = false;
  // It makes one request, whose id is worth knowing if it is interrupted.
  bool oneRequest = false;
};

// Each adds its subcommands to `app`; the one that is used sets `chosen`.
void addBid(CLI::App& app, Command& chosen);
void addQueries(CLI::App& app, Command& chosen);
void addWatch(CLI::App& app, Command& chosen);
void addShell(CLI::App& app, Command& chosen);
void addAuctions(CLI::App& app, Command& chosen);
void addChain(CLI::App& app, Command& chosen);
// Adds --at NODE to the command of a query, and checks what is given.
void addAt(CLI::App& query, std::string& node);
// These to `gavel chain`.
void addOperate(CLI::App& chain, Command& chosen);
void addRecover(CLI::App& chain, Command& chosen);
void addClock(CLI::App& chain, Command& chosen);
void addBackup(CLI::App& chain, Command& chosen);
void addUp(CLI::App& app, Command& chosen);
void addReplay(CLI::App& app, Command& chosen);
void addBench(CLI::App& app, Command& chosen);
// After all others.
void addCompletion(CLI::App& app, Command& chosen);

// Prints what a write came to and gives the exit code.  `what` is what may have failed ("120"),
// `success` says it in the case of success.
int report(Context& context, const WriteResult& result, const std::string& what,
           const std::function<std::string(schema::Outcome::Success::Reader)>& success);

// The same for a query without an answer.
int report(Context& context, schema::QueryFailure::Reader failure);

}  // namespace gavel::client::cli
