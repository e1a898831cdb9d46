#pragma once

#include <cstdint>
#include <functional>

#include <kj/async-io.h>
#include <kj/timer.h>

#include "base/buffered-stream.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/tcp-progress.h"

// How a caller proves a role before the first message of a connection (docs/security.md).  A caller
// without a role sends nothing of this.
//
//   the caller   "GVL1", role, nonce a
//   the server   "GVL1", nonce b, HMAC(secret, "server", role, a, b)
//   the caller   HMAC(secret, "caller", role, a, b), then its first message
//
// Both show that they know the role's secret, for this connection only.
namespace gavel {

enum class ConnectionRole : std::uint8_t {
  anyone = 0,
  peer = 1,   // A node or master of the cluster.
  admin = 2,  // An operator.
};

// The secrets of a server.  A role without a secret is open to anyone.
struct Secrets {
  Secret peer;
  Secret admin;

  const Secret& of(ConnectionRole role) const {
    return role == ConnectionRole::peer ? peer : admin;
  }
};

// What a connection may do: what its role allows, and what this server leaves open to anyone.
struct Access {
  bool peer = true;
  bool admin = true;
  // Returns what the kernel knows of the bytes sent over that connection; null where it knows
  // nothing, and once the connection is gone.
  std::function<kj::Maybe<TcpProgress>()> progress = []() { return nullptr; };

  static Access of(ConnectionRole role, const Secrets& secrets) {
    Access access;
    access.peer = secrets.peer.empty() || role == ConnectionRole::peer;
    access.admin = secrets.admin.empty() || role == ConnectionRole::admin;
    return access;
  }
};

// Unless `access` allows it, both log that `what` was tried and throw FAILED, in words for the
// caller.
void requirePeer(const Access& access, kj::StringPtr what);
void requireAdmin(const Access& access, kj::StringPtr what);

// Plays the server's part.  Resolves to the role that was proved, or to `anyone` if none was
// claimed.  Fails with FAILED, in words for the log, if the proof is wrong.  `stream` and `secrets`
// must outlive the promise.
kj::Promise<ConnectionRole> acceptRole(BufferedStream& stream, const Secrets& secrets);

// A network on which every connection proves `role` first.  Connecting fails with FAILED, in words
// for the operator, where the other end does not know the secret.
class ProvingNetwork final: public kj::Network {
public:
  // References must outlive this object.
  ProvingNetwork(kj::Network& inner, ConnectionRole role, Secret secret)
      : inner(inner), role(role), secret(kj::mv(secret)) {}

  kj::Promise<kj::Own<kj::NetworkAddress>> parseAddress(kj::StringPtr address,
                                                        unsigned portHint) override;
  kj::Own<kj::NetworkAddress> getSockaddr(const void* address, unsigned size) override;
  kj::Own<kj::Network> restrictPeers(kj::ArrayPtr<const kj::StringPtr> allow,
                                     kj::ArrayPtr<const kj::StringPtr> deny) override;

private:
  class Address;

  kj::Network& inner;
  ConnectionRole role;
  Secret secret;
};

}  // namespace gavel
