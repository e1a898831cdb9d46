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

// How a server program is protected (docs/security.md), as its options say.
struct ProtectionOptions {
  std::string peerSecretFile;
  std::string adminTokenFile;
  std::string tlsCert, tlsKey, tlsCa;
  bool insecureListen = false;
  unsigned maxConnections = 10'000;
  std::string idleTimeout = "10m";
};

void declareProtection(CLI::App& app, ProtectionOptions& options);

// What came of them.  Throws FAILED, with a text for the operator, where a file cannot be used,
// where
// --tls-cert, --tls-key and --tls-ca do not come together, and where `listen` is an address that
// others can reach without TLS or --insecure-listen.
class Protection {
public:
  Protection(const ProtectionOptions& options, kj::StringPtr listen, kj::Network& network);

  // For calling other processes of the cluster.
  kj::Network& network();
  const Secrets& secrets() const { return secrets_; }
  // Of the server's connections; null without TLS.  Once.
  kj::Maybe<kj::Own<kj::TlsContext>> takeTls() { return kj::mv(serverTls); }

private:
  kj::Network& plain;
  Secrets secrets_;
  kj::Maybe<kj::Own<kj::TlsContext>> serverTls;
  kj::Own<kj::TlsContext> clientTls;
  kj::Own<kj::Network> tlsNetwork;
  kj::Own<ProvingNetwork> proving;
};

// A TLS context that trusts the certificates in the file `ca`, for calling only.
kj::Own<kj::TlsContext> trusting(const std::string& ca);

}  // namespace gavel
