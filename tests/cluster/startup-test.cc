#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "tests/cluster/cluster.h"

// Programs that are started wrongly report what is wrong, with its place, and end.
namespace gavel::cluster {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Startup: public ::testing::Test {
protected:
  ~Startup() noexcept override = default;

  Finished node(std::vector<std::string> flags) {
    std::vector<std::string> command = {binary("gavel-node"), "--name", "n1", "--master",
                                        "127.0.0.1:1"};
    command.insert(command.end(), flags.begin(), flags.end());
    return runToEnd(io, command, 20 * kj::SECONDS);
  }
  Finished master(std::vector<std::string> flags) {
    flags.insert(flags.begin(), binary("gavel-master"));
    return runToEnd(io, flags, 20 * kj::SECONDS);
  }
  std::string path(const std::string& name) const { return directory.path() + "/" + name; }

  kj::AsyncIoContext io = kj::setupAsyncIo();
  gavel::testing::TemporaryDirectory directory;
};

TEST_F(Startup, PortInUseIsNamed) {
  auto taken = io.provider->getNetwork().parseAddress("127.0.0.1:0").wait(io.waitScope)->listen();
  auto address = "127.0.0.1:" + std::to_string(taken->getPort());
  for (auto& ended: {node({"--listen", address, "--data", path("node")}),
                     master({"--listen", address, "--data", path("master")})}) {
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.errors, AllOf(HasSubstr("cannot listen on " + address), HasSubstr("in use")));
  }
}

TEST_F(Startup, AddressThatDoesNotResolveIsNamed) {
  Flags flags = {"--insecure-listen", "--listen", "no-such-host.invalid:7400", "--data", path("x")};
  for (auto& ended: {node(flags), master(flags)}) {
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.errors, HasSubstr("cannot listen on no-such-host.invalid:7400"));
  }
}

TEST_F(Startup, DataDirectoryInUseIsNamed) {
  Cluster cluster(io, 1);
  auto second = node({"--listen", "127.0.0.1:0", "--data", cluster.directory() + "/n1"});
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.errors, AllOf(HasSubstr("in use by another process"),
                                   HasSubstr(cluster.directory() + "/n1")));
  auto secondMaster =
      master({"--listen", "127.0.0.1:0", "--data", cluster.directory() + "/master"});
  EXPECT_EQ(secondMaster.status, 1);
  EXPECT_THAT(secondMaster.errors, HasSubstr(cluster.directory() + "/master"));
}

TEST_F(Startup, DataDirectoryThatIsAFileIsNamed) {
  std::ofstream(path("file")) << "x";
  for (auto& ended: {node({"--listen", "127.0.0.1:0", "--data", path("file")}),
                     master({"--listen", "127.0.0.1:0", "--data", path("file")})}) {
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.errors, HasSubstr(path("file")));
  }
}

TEST_F(Startup, UsageIsCheckedBeforeAnythingIsTouched) {
  auto deep = path("a/b/c");
  auto ended = node({"--listen", "127.0.0.1:0", "--data", deep, "--log-level", "nonsense"});
  EXPECT_EQ(ended.status, 2);
  EXPECT_FALSE(std::filesystem::exists(path("a")));
}

TEST_F(Startup, UnknownAndMissingFlagsAreUsageErrors) {
  EXPECT_EQ(node({"--data", path("x"), "--frobnicate"}).status, 2);
  EXPECT_EQ(node({}).status, 2);
  EXPECT_EQ(master({"--frobnicate"}).status, 2);
  EXPECT_EQ(node({"--data", path("x"), "--sync", "sometimes"}).status, 2);
}

TEST_F(Startup, ImpossibleNamesAndAddressesAreUsageErrors) {
  auto nameless = runToEnd(
      io, {binary("gavel-node"), "--name", "", "--master", "127.0.0.1:1", "--data", path("x")});
  EXPECT_EQ(nameless.status, 2);
  EXPECT_THAT(nameless.errors, HasSubstr("--name"));
  auto masterless = runToEnd(
      io, {binary("gavel-node"), "--name", "n1", "--master", "nowhere", "--data", path("x")});
  EXPECT_EQ(masterless.status, 2);
  EXPECT_THAT(masterless.errors, HasSubstr("\"nowhere\" is not an address"));
}

TEST_F(Startup, PendingBytesThatNobodyCanHaveMeantAreUsageErrors) {
  // In older versions 256 meant MiB.
  for (auto* value: {"0", "256", "4KiB", "1000kB", "-1", "many"}) {
    auto ended = node({"--listen", "127.0.0.1:0", "--data", path("x"), "--max-pending", value});
    EXPECT_EQ(ended.status, 2) << value;
    EXPECT_THAT(ended.errors, HasSubstr("--max-pending")) << value;
  }
  auto old = node({"--listen", "127.0.0.1:0", "--data", path("x"), "--max-pending", "256"});
  EXPECT_THAT(old.errors, HasSubstr("with its unit (256MiB, 1GiB), and this is 256 bytes"));
  EXPECT_FALSE(std::filesystem::exists(path("x")));
}

TEST_F(Startup, HelpNamesEveryFlagWithItsDefault) {
  auto help = node({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.output, AllOf(HasSubstr("--sync"), HasSubstr("always"), HasSubstr("--data")));
}

TEST_F(Startup, TwoThousandIdleConnectionsLeaveTheNodeServing) {
  Cluster cluster(io, 1);
  auto address =
      io.provider->getNetwork().parseAddress(cluster.nodeAddress(0).c_str()).wait(io.waitScope);
  std::vector<kj::Own<kj::AsyncIoStream>> idle;
  for (int i = 0; i < 2000; ++i) idle.push_back(address->connect().wait(io.waitScope));
  auto client = cluster.newClient();
  capnp::MallocMessageBuilder message;
  auto terms = message.initRoot<schema::Terms>();
  terms.setDuration(1'000'000'000);
  auto created = client->create("lamp", {"ann", kj::StringPtr("0123456789abcdef").asBytes()}, terms)
                     .wait(io.waitScope);
  EXPECT_TRUE(created.outcome().isSuccess()) << kj::str(created.outcome()).cStr();
}

}  // namespace
}  // namespace gavel::cluster
