#include <capnp/compat/json.h>
#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/seeded.h"

// The output of `gavel -o json` has the members that docs/cli.md names.
namespace gavel::cluster {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using ::testing::SizeIs;

class Json: public Seeded {
protected:
  ~Json() noexcept override = default;

  // The names of the members of each line of output.
  std::vector<std::vector<std::string>> membersOf(const std::string& as, Flags arguments) {
    arguments.insert(arguments.begin(), {"-o", "json"});
    auto output = cluster.gavel(as, arguments).output;
    std::vector<std::vector<std::string>> lines;
    for (std::size_t at = 0; at < output.size();) {
      auto end = output.find('\n', at);
      capnp::MallocMessageBuilder message;
      auto value = message.initRoot<capnp::json::Value>();
      capnp::JsonCodec().decodeRaw(kj::arrayPtr(output.data() + at, end - at), value);
      lines.emplace_back();
      for (auto field: value.asReader().getObject()) lines.back().push_back(field.getName().cStr());
      EXPECT_EQ(output.compare(at, 7, "{\"v\":1,"), 0) << output;
      at = end + 1;
    }
    return lines;
  }
  std::vector<std::string> only(const std::string& as, Flags arguments) {
    auto lines = membersOf(as, arguments);
    EXPECT_THAT(lines, SizeIs(1)) << ::testing::PrintToString(arguments);
    return lines.empty() ? std::vector<std::string>() : lines.front();
  }

  Cluster cluster{io, 2};
};

TEST_F(Json, HasTheMembersThatThePageNames) {
  EXPECT_THAT(only("ann", {"auctions", "create", "lamp", "--duration", "1h"}),
              ElementsAre("v", "request", "outcome"));
  EXPECT_THAT(only("bob", {"bid", "10", "-a", "lamp"}), ElementsAre("v", "request", "outcome"));
  EXPECT_THAT(only("bob", {"bid", "5", "-a", "lamp"}), ElementsAre("v", "request", "outcome"));
  EXPECT_THAT(only("cid", {"bid", "20", "-a", "lamp"}), ElementsAre("v", "request", "outcome"));
  EXPECT_THAT(only("bob", {"result", "-a", "lamp"}), ElementsAre("v", "auction"));
  EXPECT_THAT(only("bob", {"auctions", "show", "lamp"}), ElementsAre("v", "auction"));
  EXPECT_THAT(only("bob", {"auctions", "list"}), ElementsAre("v", "auction"));
  EXPECT_THAT(only("bob", {"result", "-a", "none"}), ElementsAre("v", "failure"));
  auto version = IsSupersetOf(
      {"v", "auction", "version", "stamp", "index", "kind", "who", "amount", "deadline"});
  EXPECT_THAT(membersOf("bob", {"history", "-a", "lamp"}), ElementsAre(version, version, version));
  EXPECT_THAT(only("bob", {"chain", "status"}),
              IsSupersetOf({"v", "healthy", "master", "configuration", "nodes"}));
  auto member = IsSupersetOf({"v", "name", "address", "incarnation", "storeId", "state"});
  EXPECT_THAT(membersOf("bob", {"chain", "members"}), ElementsAre(member, member));
  EXPECT_THAT(only("bob", {"chain", "epochs"}), IsSupersetOf({"v", "configuration", "duration"}));
  EXPECT_THAT(only("op", {"chain", "drain", "n9"}), Contains("refused"));
  EXPECT_THAT(only("op", {"chain", "drain", "n2"}),
              IsSupersetOf({"v", "done", "complete", "configuration"}));
  EXPECT_THAT(only("ann", {"auctions", "close", "lamp"}), ElementsAre("v", "request", "outcome"));
  auto watched = membersOf("bob", {"watch", "-a", "lamp", "--from", "1"});
  ASSERT_THAT(watched, SizeIs(4));
  EXPECT_THAT(watched[2], Contains("outbid")) << "the second bid is another's";
  EXPECT_THAT(watched[1], ::testing::Not(Contains("outbid")));
}

}  // namespace
}  // namespace gavel::cluster
