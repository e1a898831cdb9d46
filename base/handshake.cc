#include "base/handshake.h"

#include <cstring>

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel {
namespace {

constexpr char MAGIC[] =
    "GVL1";  // No message of Cap'n Proto begins so: it would have too many segments.
constexpr std::size_t MAGIC_BYTES = 4;
constexpr std::size_t NONCE_BYTES = 16;
constexpr std::size_t PROOF_BYTES = 32;
constexpr std::size_t HELLO_BYTES = MAGIC_BYTES + 1 + NONCE_BYTES;
constexpr std::size_t ANSWER_BYTES = MAGIC_BYTES + NONCE_BYTES + PROOF_BYTES;

std::string nonce() {
  SystemRandom random;
  std::uint64_t words[NONCE_BYTES / sizeof(std::uint64_t)];
  for (auto& word: words) word = random.next();
  return {reinterpret_cast<const char*>(words), sizeof(words)};
}

std::string text(const char* who, ConnectionRole role, const std::string& a, const std::string& b) {
  return std::string(who) + static_cast<char>(role) + a + b;
}

kj::ArrayPtr<const kj::byte> bytesOf(const std::string& text, std::size_t from) {
  return kj::StringPtr(text.data(), text.size()).asBytes().slice(from, text.size());
}

const char* nameOf(ConnectionRole role) {
  return role == ConnectionRole::peer ? "peer secret" : "admin token";
}

[[noreturn]] void fail(kj::String text) {
  kj::throwFatalException(
      kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(text)));
}

// Holds what is read and written for as long as that takes.
struct Exchange {
  std::string out;
  std::string in;
};

}  // namespace

void requirePeer(const Access& access, kj::StringPtr what) {
  if (access.peer) return;
  logWarning("refused: only nodes and masters of the cluster may do this", {{"what", what}});
  fail(kj::str("not permitted: ", what,
               " is for nodes and masters of the cluster, who prove its peer "
               "secret (--peer-secret-file)"));
}

void requireAdmin(const Access& access, kj::StringPtr what) {
  if (access.admin) return;
  logWarning("refused: only operators may do this", {{"what", what}});
  fail(kj::str("not permitted: ", what,
               " is for operators, who prove the cluster's admin token "
               "(--admin-token-file)"));
}

kj::Promise<ConnectionRole> acceptRole(BufferedStream& stream, const Secrets& secrets) {
  return stream.peek(MAGIC_BYTES)
      .then([&stream, &secrets](bool there) -> kj::Promise<ConnectionRole> {
        if (!there || std::memcmp(stream.peeked().begin(), MAGIC, MAGIC_BYTES) != 0)
          return ConnectionRole::anyone;
        auto exchange = kj::heap<Exchange>();
        auto& io = *exchange;
        io.in.resize(HELLO_BYTES);
        return stream.read(io.in.data(), HELLO_BYTES)
            .then([&stream, &secrets, &io]() -> kj::Promise<ConnectionRole> {
              auto role = static_cast<ConnectionRole>(io.in[MAGIC_BYTES]);
              if (role != ConnectionRole::peer && role != ConnectionRole::admin)
                fail(kj::str("an unknown role was claimed"));
              auto& secret = secrets.of(role);
              if (secret.empty()) {
                fail(kj::str("somebody would prove the ", nameOf(role),
                             ", which this process has not"));
              }
              auto a = io.in.substr(MAGIC_BYTES + 1);
              auto b = nonce();
              auto proof = secret.prove(text("server", role, a, b));
              io.out = MAGIC + b + std::string(proof.asChars().begin(), proof.size());
              io.in.resize(PROOF_BYTES);
              return stream.write(io.out.data(), io.out.size())
                  .then([&stream, &io]() { return stream.read(io.in.data(), PROOF_BYTES); })
                  .then([&secret, &io, role, a, b]() {
                    if (!secret.proves(text("caller", role, a, b), bytesOf(io.in, 0))) {
                      fail(kj::str("somebody does not know the ", nameOf(role)));
                    }
                    return role;
                  });
            })
            .attach(kj::mv(exchange));
      });
}

class ProvingNetwork::Address final: public kj::NetworkAddress {
public:
  Address(kj::Own<kj::NetworkAddress> inner, ConnectionRole role, const Secret& secret)
      : inner(kj::mv(inner)), role(role), secret(secret) {}

  kj::Promise<kj::Own<kj::AsyncIoStream>> connect() override {
    return inner->connect().then(
        [role = role, secret = secret, name = toString()](
            kj::Own<kj::AsyncIoStream> stream) mutable -> kj::Promise<kj::Own<kj::AsyncIoStream>> {
          auto exchange = kj::heap<Exchange>();
          auto& io = *exchange;
          auto& to = *stream;
          auto a = nonce();
          io.out = MAGIC + std::string(1, static_cast<char>(role)) + a;
          io.in.resize(ANSWER_BYTES);
          return to.write(io.out.data(), io.out.size())
              .then([&to, &io]() { return to.tryRead(io.in.data(), ANSWER_BYTES, ANSWER_BYTES); })
              .then([&to, &io, role, secret, a, name = kj::mv(name)](std::size_t count) {
                bool sound =
                    count == ANSWER_BYTES && std::memcmp(io.in.data(), MAGIC, MAGIC_BYTES) == 0;
                auto b = io.in.substr(MAGIC_BYTES, NONCE_BYTES);
                if (!sound || !secret.proves(text("server", role, a, b),
                                             bytesOf(io.in, MAGIC_BYTES + NONCE_BYTES))) {
                  fail(kj::str(name, " does not know this ", nameOf(role),
                               ": it has another one, or none"));
                }
                auto proof = secret.prove(text("caller", role, a, b));
                io.out.assign(proof.asChars().begin(), proof.size());
                return to.write(io.out.data(), io.out.size());
              })
              .then([stream = kj::mv(stream)]() mutable { return kj::mv(stream); })
              .attach(kj::mv(exchange));
        });
  }
  kj::Own<kj::ConnectionReceiver> listen() override { return inner->listen(); }
  kj::Own<kj::NetworkAddress> clone() override {
    return kj::heap<Address>(inner->clone(), role, secret);
  }
  kj::String toString() override { return inner->toString(); }

private:
  kj::Own<kj::NetworkAddress> inner;
  ConnectionRole role;
  Secret secret;
};

kj::Promise<kj::Own<kj::NetworkAddress>> ProvingNetwork::parseAddress(kj::StringPtr address,
                                                                      unsigned portHint) {
  return inner.parseAddress(address, portHint)
      .then([role = role,
             secret = secret](kj::Own<kj::NetworkAddress> parsed) -> kj::Own<kj::NetworkAddress> {
        return kj::heap<Address>(kj::mv(parsed), role, secret);
      });
}

kj::Own<kj::NetworkAddress> ProvingNetwork::getSockaddr(const void* address, unsigned size) {
  return kj::heap<Address>(inner.getSockaddr(address, size), role, secret);
}

kj::Own<kj::Network> ProvingNetwork::restrictPeers(kj::ArrayPtr<const kj::StringPtr>,
                                                   kj::ArrayPtr<const kj::StringPtr>) {
  KJ_UNIMPLEMENTED("connections are not restricted by address");
}

}  // namespace gavel
