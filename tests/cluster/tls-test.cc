#include <signal.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/seeded.h"
#include "tests/support/loopback.h"

// A chain whose every connection uses TLS.
namespace gavel::cluster {
namespace {

using ::testing::HasSubstr;

class Tls: public Seeded {
protected:
  ~Tls() noexcept override = default;

  // An authority and a certificate for this machine, as an operator makes them.
  Tls() {
    openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-subj", "/CN=test authority", "-days", "1", "-keyout", path("ca.key"), "-out",
             path("ca.pem")});
    openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
             "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:" + gavel::testing::ownHost(), "-keyout",
             path("node.key"), "-out", path("node.csr")});
    openssl({"x509", "-req", "-in", path("node.csr"), "-CA", path("ca.pem"), "-CAkey",
             path("ca.key"), "-CAcreateserial", "-copy_extensions", "copy", "-days", "1", "-out",
             path("node.pem")});
  }

  std::string path(const std::string& name) { return directory.path() + "/" + name; }
  void openssl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "/usr/bin/openssl");
    auto ran = runToEnd(io, arguments);
    KJ_REQUIRE(ran.status == 0, ran.errors.c_str());
  }

  gavel::testing::TemporaryDirectory directory;
};

TEST_F(Tls, BidsAreMadeAndPlainTextIsRefused) {
  Flags tls = {"--tls-cert",     path("node.pem"), "--tls-key",
               path("node.key"), "--tls-ca",       path("ca.pem")};
  auto start = [&](const std::string& program, Flags more) {
    std::vector<std::string> command = {binary(program), "--listen", "localhost:0"};
    command.insert(command.end(), tls.begin(), tls.end());
    command.insert(command.end(), more.begin(), more.end());
    return std::make_unique<Process>(io, command, path(program + ".log"));
  };
  auto addressOf = [](Process& process) {
    auto line = process.readLine();
    return line.substr(line.rfind(' ') + 1);
  };
  auto master = start("gavel-master", {"--data", path("m"), "--replicas", "2"});
  auto masterAddress = addressOf(*master);
  auto first =
      start("gavel-node", {"--name", "n1", "--master", masterAddress, "--data", path("n1")});
  auto second =
      start("gavel-node", {"--name", "n2", "--master", masterAddress, "--data", path("n2")});
  auto server = addressOf(*first);
  addressOf(*second);

  auto gavel = [&](Flags arguments) {
    std::vector<std::string> command = {"/usr/bin/env",
                                        "XDG_CONFIG_HOME=" + path("config"),
                                        "XDG_STATE_HOME=" + path("config"),
                                        binary("gavel"),
                                        "-s",
                                        server + "," + masterAddress};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return runToEnd(io, command);
  };
  auto status = gavel({"--tls-ca", path("ca.pem"), "chain", "status", "--wait", "--check",
                       "--serving", "2", "--timeout", "20s"});
  ASSERT_EQ(status.status, 0) << status.errors << status.output << first->log() << master->log();
  EXPECT_EQ(
      gavel({"--tls-ca", path("ca.pem"), "auctions", "create", "lamp", "--duration", "1h"}).status,
      0);
  auto bid = gavel({"--tls-ca", path("ca.pem"), "bid", "120", "-a", "lamp"});
  EXPECT_EQ(bid.status, 0) << bid.errors;

  auto plain = gavel({"bid", "130", "-a", "lamp", "--timeout", "1s"});
  EXPECT_NE(plain.status, 0);
  EXPECT_THAT(first->log(), HasSubstr("a connection failed"));
  // Whoever shows the certificate of somebody else is not believed.
  openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
           "-subj", "/CN=other authority", "-days", "1", "-keyout", path("other.key"), "-out",
           path("other.pem")});
  auto other =
      gavel({"--tls-ca", path("other.pem"), "bid", "130", "-a", "lamp", "--timeout", "1s"});
  EXPECT_EQ(other.status, 4);
  EXPECT_THAT(other.output + other.errors, HasSubstr("certificate"));
}

TEST_F(Tls, ChainThatIsJustTriedMakesItsOwnCertificates) {
  std::vector<std::string> command = {"/usr/bin/env",
                                      "XDG_CONFIG_HOME=" + path("config"),
                                      "XDG_STATE_HOME=" + path("config"),
                                      binary("gavel"),
                                      "-o",
                                      "json",
                                      "up",
                                      "--tls",
                                      "--dir",
                                      path("up"),
                                      "--nodes",
                                      "2",
                                      "--port",
                                      std::to_string(freePorts(io, 3))};
  Process up(io, command, path("up.log"));
  auto line = up.readLine();
  constexpr const char NAME[] = "\"address\":\"";
  auto at = line.find(NAME) + sizeof(NAME) - 1;
  auto server = line.substr(at, line.find('"', at) - at);
  auto gavel = [&](Flags arguments) {
    std::vector<std::string> command = {"/usr/bin/env",
                                        "XDG_CONFIG_HOME=" + path("config"),
                                        "XDG_STATE_HOME=" + path("config"),
                                        binary("gavel"),
                                        "-s",
                                        server};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return runToEnd(io, command);
  };
  auto bid = gavel({"--tls-ca", path("up/ca.pem"), "bid", "120"});
  EXPECT_EQ(bid.status, 0) << bid.errors << bid.output << up.log();
  auto drained = gavel({"--tls-ca", path("up/ca.pem"), "--admin-token-file", path("up/admin-token"),
                        "chain", "drain", "n2"});
  EXPECT_EQ(drained.status, 0) << drained.errors;
  EXPECT_EQ(gavel({"bid", "130", "--timeout", "1s"}).status, 4);
  up.signal(SIGINT);
  EXPECT_EQ(up.wait(), 0);
}

TEST_F(Tls, ListeningForOthersWithoutItTakesAFlag) {
  auto refused =
      runToEnd(io, {binary("gavel-master"), "--listen", "0.0.0.0:0", "--data", path("m")});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.errors, HasSubstr("--insecure-listen"));
  auto half = runToEnd(io, {binary("gavel-master"), "--listen", "127.0.0.1:0", "--data", path("m"),
                            "--tls-cert", path("node.pem")});
  EXPECT_THAT(half.errors, HasSubstr("give all or none"));
}

}  // namespace
}  // namespace gavel::cluster
