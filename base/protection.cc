#include "base/protection.h"

#include <fstream>
#include <sstream>

#include <CLI/CLI.hpp>
#include <kj/debug.h>

#include "base/connection.h"
#include "base/logging.h"

namespace gavel {
namespace {

// The text is for the operator and has no source position.
[[noreturn]] void refuse(kj::String text) {
  kj::throwFatalException(
      kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(text)));
}

std::string contents(const std::string& option, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) refuse(kj::str(option.c_str(), ": cannot read ", path.c_str()));
  return text.str();
}

// kj-tls reads key and certificates only while it makes a context.
kj::Own<kj::TlsContext> context(const std::string& cert, const std::string& key,
                                const std::string& ca) {
  kj::TlsContext::Options options;
  options.useSystemTrustStore = false;
  options.minVersion = kj::TlsVersion::TLS_1_2;
  auto authority = contents("--tls-ca", ca);
  kj::TlsCertificate trusted(kj::StringPtr(authority.c_str(), authority.size()));
  options.trustedCertificates = kj::arrayPtr(&trusted, 1);
  if (cert.empty()) return kj::heap<kj::TlsContext>(kj::mv(options));
  auto keyText = contents("--tls-key", key);
  auto certText = contents("--tls-cert", cert);
  kj::TlsKeypair pair{kj::TlsPrivateKey(kj::StringPtr(keyText.c_str(), keyText.size())),
                      kj::TlsCertificate(kj::StringPtr(certText.c_str(), certText.size()))};
  options.defaultKeypair = pair;
  return kj::heap<kj::TlsContext>(kj::mv(options));
}

kj::Own<kj::TlsContext> checkedContext(const std::string& cert, const std::string& key,
                                       const std::string& ca) {
  kj::Own<kj::TlsContext> made;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { made = context(cert, key, ca); })) {
    refuse(kj::str("TLS: ", exception->getDescription(),
                   ": --tls-cert, --tls-key and --tls-ca must be PEM files that belong together"));
  }
  return made;
}

bool isLoopback(kj::StringPtr address) {
  return address.startsWith("127.") || address.startsWith("localhost:") ||
         address.startsWith("[::1]:");
}

}  // namespace

void declareProtection(CLI::App& app, ProtectionOptions& options) {
  app.add_option(
         "--peer-secret-file", options.peerSecretFile,
         "What nodes and masters of the cluster prove to each other; without it anybody may be one")
      ->type_name("FILE");
  app.add_option("--admin-token-file", options.adminTokenFile,
                 "What operators have to prove; without it anybody may change the chain")
      ->type_name("FILE");
  app.add_option("--tls-cert", options.tlsCert,
                 "Certificate of this process, with those it rests on (PEM)")
      ->type_name("FILE");
  app.add_option("--tls-key", options.tlsKey, "Its private key (PEM)")->type_name("FILE");
  app.add_option("--tls-ca", options.tlsCa,
                 "Whose certificates are believed, of other processes (PEM)")
      ->type_name("FILE");
  app.add_flag("--insecure-listen", options.insecureListen,
               "Listen on an address that others can reach although there is no TLS");
  app.add_option("--max-connections", options.maxConnections, "Refuse connections beyond this many")
      ->check(CLI::Range(1u, 1'000'000u).description(""))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--idle-timeout", options.idleTimeout,
                 "Close connections of clients from which nothing has come for so long")
      ->type_name("DURATION")
      ->capture_default_str();
}

Protection::Protection(const ProtectionOptions& options, kj::StringPtr listen, kj::Network& network)
    : plain(network),
      secrets_{readSecret(options.peerSecretFile), readSecret(options.adminTokenFile)} {
  int given = !options.tlsCert.empty() + !options.tlsKey.empty() + !options.tlsCa.empty();
  if (given != 0 && given != 3) {
    refuse(kj::str("--tls-cert, --tls-key and --tls-ca belong together: give all or none"));
  }
  if (given == 0 && !isLoopback(listen) && !options.insecureListen) {
    refuse(kj::str("others can reach ", listen,
                   ", and there is no TLS: give --tls-cert, --tls-key and "
                   "--tls-ca, or --insecure-listen if the network is safe"));
  }
  if (secrets_.peer.empty()) {
    logWarning("no --peer-secret-file: whoever reaches this process may take part in the chain");
  }
  if (secrets_.admin.empty()) {
    logWarning("no --admin-token-file: whoever reaches this process may change the chain");
  }
  if (given == 3) {
    serverTls = checkedContext(options.tlsCert, options.tlsKey, options.tlsCa);
    clientTls = trusting(options.tlsCa);
    tlsNetwork = clientTls->wrapNetwork(network);
  }
  if (!secrets_.peer.empty()) {
    auto& below = tlsNetwork.get() == nullptr ? network : *tlsNetwork;
    proving = kj::heap<ProvingNetwork>(below, ConnectionRole::peer, secrets_.peer);
  }
}

kj::Network& Protection::network() {
  if (proving.get() != nullptr) return *proving;
  return tlsNetwork.get() == nullptr ? plain : *tlsNetwork;
}

kj::Own<kj::TlsContext> trusting(const std::string& ca) {
  return checkedContext("", "", ca);
}

}  // namespace gavel
