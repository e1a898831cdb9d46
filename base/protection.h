#pragma once

#include <string>

#include <kj/async-io.h>
#include <kj/compat/tls.h>

#include "base/handshake.h"
#include "base/server.h"

namespace CLI {
class App;
}

namespace gavel {

// The options that say how a server program is protected (docs/security.md).
struct ProtectionOptions {
  std::string peerSecretFile;
  std::string adminTokenFile;
  std::string tlsCert, tlsKey, tlsCa;
  bool insecureListen = false;
  unsigned maxConnections = 10'000;
  std::string idleTimeout = "10m";
};

void declareProtection(CLI::App& app, ProtectionOptions& options);

// The protection that the options ask for.  The constructor throws FAILED, with a text for the
// operator, if
// - a file cannot be used,
// - only some of --tls-cert, --tls-key and --tls-ca are given, or
// - others can reach the address `listen`, and neither TLS nor --insecure-listen is given.
class Protection {
public:
  Protection(const ProtectionOptions& options, kj::StringPtr listen, kj::Network& network);

  // The network for calling other processes of the cluster.
  kj::Network& network();
  const Secrets& secrets() const { return secrets_; }
  // Returns the context for the server's connections; null without TLS.  May be called once.
  kj::Maybe<kj::Own<kj::TlsContext>> takeTls() { return kj::mv(serverTls); }

private:
  kj::Network& plain;
  Secrets secrets_;
  kj::Maybe<kj::Own<kj::TlsContext>> serverTls;
  kj::Own<kj::TlsContext> clientTls;
  kj::Own<kj::Network> tlsNetwork;
  kj::Own<ProvingNetwork> proving;
};

// Returns a TLS context for calls only, which trusts the certificates in the file `ca`.
kj::Own<kj::TlsContext> trusting(const std::string& ca);

}  // namespace gavel
