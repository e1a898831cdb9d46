#include <arpa/inet.h>
#include <fstream>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>
#include <kj/io.h>

#include "base/connection.h"
#include "schema/master.capnp.h"
#include "schema/peer.capnp.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/seeded.h"
#include "tests/support/workload.h"

// Callers who do what they may not do, or who try to keep others from bidding.  Each is refused in
// words and logged, and the bids of others go on.
namespace gavel::cluster {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Attack: public Seeded {
protected:
  ~Attack() noexcept override = default;

  Attack() {
    secret("peer-secret");
    secret("admin-token");
    secret("other");
  }

  std::string path(const std::string& name) { return directory.path() + "/" + name; }
  void secret(const std::string& name) {
    std::ofstream(path(name)) << name << "-of-sixteen-bytes-and-more\n";
    chmod(path(name).c_str(), 0600);
  }
  Flags flags() {
    return {"--peer-secret-file", path("peer-secret"), "--admin-token-file", path("admin-token")};
  }
  Cluster::Options options(Flags more = {}) {
    Cluster::Options options;
    options.masterFlags = options.nodeFlags = flags();
    options.masterFlags.insert(options.masterFlags.end(), {"--flap-delay", "0s"});
    options.nodeFlags.insert(options.nodeFlags.end(), more.begin(), more.end());
    return options;
  }

  // A bare connection to a node.
  kj::AutoCloseFd connectTo(const std::string& address) {
    auto colon = address.find(':');
    kj::AutoCloseFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_in to {};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
    KJ_SYSCALL(connect(fd, reinterpret_cast<struct sockaddr*>(&to), sizeof(to)));
    return fd;
  }
  static bool isClosed(int fd) {
    struct pollfd polled {
      fd, POLLIN, 0
    };
    char byte;
    return poll(&polled, 1, 0) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
  }

  template <typename Interface>
  std::string answerTo(const std::string& address,
                       kj::Function<kj::Promise<void>(typename Interface::Client)> call) {
    auto& timer = io.provider->getTimer();
    auto connection =
        Connection::open(io.provider->getNetwork(), timer, address.c_str(), 5 * kj::SECONDS)
            .wait(io.waitScope);
    return call(connection->template bootstrap<Interface>())
        .then([]() { return std::string("done"); },
              [](kj::Exception&& exception) {
                return std::string(exception.getDescription().cStr());
              })
        .wait(io.waitScope);
  }

  gavel::testing::TemporaryDirectory directory;
};

TEST_F(Attack, ChainHealsWithSecretsAndWhoHasOthersStaysOutside) {
  Cluster cluster(io, options());
  gavel::testing::Workload load(io, cluster, 4, 2);
  load.runUntilSteady(100 * kj::MILLISECONDS);
  cluster.node(1).kill();
  cluster.untilWithout(1);
  cluster.restartNode(1);
  cluster.untilWhole();
  load.runUntilSteady(100 * kj::MILLISECONDS);
  load.stop();
  load.verify();

  auto refused =
      runToEnd(io, {binary("gavel-node"), "--name", "intruder", "--master", cluster.masterAddress(),
                    "--data", path("intruder"), "--peer-secret-file", path("peer-secret.none")});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.errors, HasSubstr("secret file " + path("peer-secret.none")));
  Process intruder(io,
                   {binary("gavel-node"), "--name", "intruder", "--master", cluster.masterAddress(),
                    "--data", path("intruder"), "--peer-secret-file", path("other")},
                   path("intruder.log"));
  cluster.until("it is told so", [&]() {
    return intruder.log().find("does not know this peer secret") != std::string::npos;
  });
  EXPECT_THAT(cluster.gavel("op", {"chain", "status"}).output,
              ::testing::Not(HasSubstr("intruder")));
}

TEST_F(Attack, CallsOfPeersAndOperatorsAreRefusedToClients) {
  Cluster cluster(io, options());
  auto attach = answerTo<schema::Peer>(cluster.nodeAddress(0), [](schema::Peer::Client peer) {
    return peer.attachRequest().send().ignoreResult();
  });
  EXPECT_THAT(attach, AllOf(HasSubstr("not permitted"), HasSubstr("--peer-secret-file")));
  EXPECT_THAT(cluster.node(0).log(), HasSubstr("refused: only nodes and masters"));
  auto registered = answerTo<schema::MasterService>(
      cluster.masterAddress(), [](schema::MasterService::Client master) {
        return master.registerRequest().send().ignoreResult();
      });
  EXPECT_THAT(registered, HasSubstr("not permitted: registering"));
  EXPECT_THAT(cluster.master().log(), HasSubstr("refused: only nodes and masters"));

  auto none = cluster.gavel("op", {"chain", "drain", "n2"});
  EXPECT_EQ(none.status, 6) << none.errors;
  EXPECT_THAT(none.errors, HasSubstr("--admin-token-file"));
  EXPECT_THAT(cluster.master().log(), HasSubstr("refused: only operators"));
  auto other = cluster.gavel("op", {"--admin-token-file", path("other"), "chain", "drain", "n2"});
  EXPECT_NE(other.status, 0);
  EXPECT_THAT(other.errors, HasSubstr("does not know this admin token"));
  auto right =
      cluster.gavel("op", {"--admin-token-file", path("admin-token"), "chain", "drain", "n2"});
  EXPECT_EQ(right.status, 0) << right.errors;
}

TEST_F(Attack, StolenNameIsRefused) {
  Cluster cluster(io, options());
  cluster.gavel("seller", {"auctions", "create", "lamp", "--duration", "1h"});
  EXPECT_EQ(cluster.gavel("alice", {"bid", "10", "-a", "lamp"}).status, 0);
  auto stolen = cluster.gavel("mallory", {"--as", "alice", "bid", "20", "-a", "lamp"});
  EXPECT_EQ(stolen.status, 6);
  EXPECT_THAT(stolen.output, HasSubstr("not permitted"));
}

TEST_F(Attack, GarbageSilenceAndTwoThousandConnectionsStopNobodysBids) {
  struct rlimit files {};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  Cluster cluster(io, options({"--max-connections", "500"}));
  gavel::testing::Workload load(io, cluster, 4, 2);
  load.runUntilSteady(200 * kj::MILLISECONDS);
  auto begin = clockNow();

  auto garbage = connectTo(cluster.nodeAddress(0));
  std::string nonsense(100'000, '\xff');
  send(garbage, nonsense.data(), nonsense.size(), MSG_NOSIGNAL);
  auto oversized = connectTo(cluster.nodeAddress(0));
  // One segment of 2^31 words.
  const unsigned char header[] = {0, 0, 0, 0, 0, 0, 0, 0x80};
  send(oversized, header, sizeof(header), MSG_NOSIGNAL);
  auto liar = connectTo(cluster.nodeAddress(0));
  std::string hello = "GVL1\1" + std::string(16, 'n') + std::string(32, 'x');
  send(liar, hello.data(), hello.size(), MSG_NOSIGNAL);
  auto slow = connectTo(cluster.nodeAddress(0));
  send(slow, "\0\0", 2, MSG_NOSIGNAL);  // Half a word, and nothing more.
  std::vector<kj::AutoCloseFd> idle;
  for (int i = 0; i < 2000; ++i) idle.push_back(connectTo(cluster.nodeAddress(0)));

  // A lost node can come while all places are taken.
  cluster.node(2).kill();
  cluster.untilWithout(2);
  cluster.restartNode(2);
  cluster.untilWhole();
  cluster.until(
      "all are closed",
      [&]() {
        bool closed = isClosed(garbage) && isClosed(oversized) && isClosed(liar) && isClosed(slow);
        for (auto& fd: idle) closed = closed && isClosed(fd);
        return closed;
      },
      20 * kj::SECONDS);
  load.runUntilSteady(200 * kj::MILLISECONDS);
  auto gap = load.longestGap(begin, clockNow());
  load.stop();
  load.verify();
  EXPECT_LT(gap / kj::MILLISECONDS, 1000) << "others noticed";
  EXPECT_THAT(cluster.node(0).log(), AllOf(HasSubstr("refusing connections: at the limit"),
                                           HasSubstr("somebody does not know the peer secret"),
                                           HasSubstr("a connection failed")));
}

}  // namespace
}  // namespace gavel::cluster
