#include <algorithm>
#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/seeded.h"
#include "tests/cluster/terminal.h"

// `gavel shell`, at a terminal and from scripts.
namespace gavel::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Shell: public Seeded {
protected:
  ~Shell() noexcept override = default;

  std::unique_ptr<Terminal> at(Cluster& cluster, const std::string& home, Flags arguments) {
    std::vector<std::string> command = {binary("gavel"), "--server",
                                        cluster.servers() + "," + cluster.masterAddress()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    config = "XDG_CONFIG_HOME=" + cluster.directory() + "/" + home;
    state = "XDG_STATE_HOME=" + cluster.directory() + "/" + home;
    return std::make_unique<Terminal>(io, command,
                                      std::vector<std::string>{config, state, "NO_COLOR=1"});
  }

  // The screen without what differs each time.
  static std::vector<std::string> seen(const Terminal& terminal) {
    static const std::regex SPAN(R"(in (\d+h)?(\d+m)?(\d+s)?)");
    static const std::regex TIME(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)");
    std::vector<std::string> lines;
    for (auto line: terminal.screen()) {
      line.resize(line.find_last_not_of(' ') + 1);
      lines.push_back(std::regex_replace(std::regex_replace(line, SPAN, "in T"), TIME, "TIME"));
    }
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    return lines;
  }

  std::string config, state;
};

TEST_F(Shell, ShowsWhatHappensAboveTheHalfTypedLineAcrossAKill) {
  Cluster cluster(io, 3);
  ASSERT_EQ(cluster.gavel("seller", {"auctions", "create", "lamp", "--duration", "1h"}).status, 0);
  auto alice = at(cluster, "alice", {"shell", "-a", "lamp"});
  alice->expect("Your name [");
  alice->type("alice\n");
  alice->expect("no bid yet");
  alice->type("bid 100\n");
  alice->expect("success: 100 leads");
  alice->type("bid 1");
  alice->expect("alice@lamp> bid 1");
  cluster.node(0).kill();
  cluster.untilWithout(0);
  ASSERT_EQ(cluster.gavel("bob", {"bid", "150", "-a", "lamp"}).status, 0);
  alice->expect("You are outbid. The highest bid is 150.");
  alice->type("60\n");
  alice->expect("success: 160 leads");
  ASSERT_EQ(cluster.gavel("seller", {"auctions", "close", "lamp"}).status, 0);
  alice->expect("You have won it.");
  alice->type("quit\n");
  EXPECT_EQ(alice->wait(), 0);

  auto lines = seen(*alice);
  // When it learns that the chain has changed is a matter of luck, but it does learn it.
  auto relinked = std::remove_if(lines.begin(), lines.end(), [](const std::string& line) {
    return line == "(the chain is now n2 > n3)" || line.find("(the chain ") == 0;
  });
  lines.erase(relinked, lines.end());
  EXPECT_THAT(alice->text(), HasSubstr("(the chain is now n2 > n3)"));
  lines.erase(lines.begin());  // The question for the name has the user's.
  EXPECT_THAT(
      lines,
      ElementsAre("auction \"lamp\": open, no bid yet; the next valid amount is 1; ends in T "
                  "(version 1, 0 bids)",
                  "alice@lamp> bid 100", "success: 100 leads (version 2, ends in T)",
                  "bid 150 by bob", "You are outbid. The highest bid is 150.",
                  "alice@lamp> bid 160", "success: 160 leads (version 4, ends in T)",
                  "over: alice wins for 160", "You have won it.", "alice@lamp> quit"))
      << alice->text();

  // Somebody who comes back after the end is told, too.
  auto again = at(cluster, "alice", {"--as", "alice", "shell", "-a", "lamp"});
  again->expect("You have won it.");
  again->type("\004");
  EXPECT_EQ(again->wait(), 0);
}

TEST_F(Shell, EditsCompletesAndRemembersLines) {
  Cluster cluster(io, 1);
  cluster.gavel("seller", {"auctions", "create", "lamp", "--duration", "1h"});
  {
    auto alice = at(cluster, "alice", {"--as", "alice", "shell", "-a", "lamp"});
    alice->expect("no bid yet");
    alice->type("res\t");
    alice->expect("alice@lamp> result ");
    alice->type("\n");
    alice->expect("(version 1, 0 bids)");
    alice->type("bid 70\b\b5\n");  // Types 75.
    alice->expect("success: 5 leads");
    alice->type("use lump\n");
    alice->expect("there is no auction \"lump\"");
    alice->type("bidd 3\n");
    alice->expect("did you mean \"bid\"?");
    alice->type("quit\n");
    EXPECT_EQ(alice->wait(), 0);
  }
  auto again = at(cluster, "alice", {"--as", "alice", "shell", "-a", "lamp"});
  again->expect("5 by alice leads");
  again->type("\020\020");  // Up, twice.
  again->expect("alice@lamp> bidd 3");
}

TEST_F(Shell, RunsCommandsFromScripts) {
  Cluster cluster(io, 1);
  cluster.gavel("seller", {"auctions", "create", "lamp", "--duration", "1h"});
  auto good = cluster.gavel("alice", {"shell", "-a", "lamp", "-c", "bid 120; result; history"});
  EXPECT_EQ(good.status, 0) << good.errors;
  EXPECT_THAT(good.output, HasSubstr("success: 120 leads (version 2, ends in "));
  EXPECT_THAT(good.output, HasSubstr("#2  bid 120 by alice"));
  auto bad = cluster.gavel("bob", {"shell", "-a", "lamp", "-c", "bid 120;bid 130"});
  EXPECT_EQ(bad.status, 3) << "of the first that did not succeed";
  EXPECT_THAT(bad.output, HasSubstr("fail: 120 is too low"));
  EXPECT_THAT(bad.output, HasSubstr("success: 130 leads"));
  EXPECT_EQ(cluster.gavel("bob", {"shell", "-c", "bid many"}).status, 2);
}

}  // namespace
}  // namespace gavel::cluster
