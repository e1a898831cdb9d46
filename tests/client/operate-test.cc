#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/operated-master.h"
#include "tests/support/fakes.h"

// Operators' orders to a master, with the built program and a scripted master.
namespace gavel::client::testing {
namespace {

using State = schema::Member::State;
constexpr std::int64_t DAY = std::int64_t{86'400} * 1'000'000'000;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class OperateTest: public ::testing::Test {
public:
  ~OperateTest() noexcept override = default;

  gavel::testing::TemporaryDirectory home;
  MasterScript script;
  Serving serving;

  std::vector<std::string> onMaster(std::vector<std::string> arguments) {
    auto address = serving.serve(kj::heap<OperatedMaster>(script, serving));
    script.members = serving.serveAlso(kj::heap<AskedMember>(script));
    arguments.insert(arguments.begin(), "chain");
    arguments.insert(arguments.end(), {"-s", address, "--timeout", "700ms"});
    return arguments;
  }

  Ran chain(std::vector<std::string> arguments) {
    auto words = onMaster(std::move(arguments));
    return serving.run([&]() { return runGavel(home.path(), words); });
  }
  Ran chainAtTerminal(std::vector<std::string> arguments, const std::string& typed) {
    auto words = onMaster(std::move(arguments));
    return serving.run([&]() { return runGavelOnTerminal(home.path(), words, typed); });
  }
};

TEST_F(OperateTest, AddsANodeAndWaitsUntilItServes) {
  script.before = {{"n1"}, {"n2", State::SYNCING}};
  script.after = {{"n1"}, {"n2"}};
  script.nodes = {{"n1"}, {"n2"}};
  auto ran = chain({"add", "n2"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(script.asked, ElementsAre("add n2"));
  EXPECT_EQ(ran.out, "decided: add n2\nchain n1 > n2, epoch 8 (as asked)\n");
}

TEST_F(OperateTest, DrainsANodeAndWaitsUntilItIsGone) {
  script.before = {{"n1"}, {"n2"}};
  script.after = {{"n2"}};
  auto ran = chain({"drain", "n1"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(script.asked, ElementsAre("drain n1"));
  EXPECT_THAT(ran.out, HasSubstr("chain n2, epoch 8"));
}

TEST_F(OperateTest, ReplacesANodeAndWaitsForBoth) {
  script.before = {{"n1"}, {"n2"}};
  script.after = {{"n2"}, {"n3"}};
  script.nodes = {{"n1"}, {"n2"}, {"n3"}};
  auto ran = chain({"replace", "n1", "n3", "-o", "json"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(script.asked, ElementsAre("replace n1 n3"));
  EXPECT_THAT(ran.out, AllOf(StartsWith("{\"v\":1,\"done\":\"decided: replace n1 n3\","
                                        "\"complete\":true,\"configuration\":{"),
                             HasSubstr("\"epoch\":\"8\"")));
}

TEST_F(OperateTest, IsNotCompleteWhileTheOldNodeIsThere) {
  script.before = {{"n1"}, {"n2"}};
  script.after = {{"n1"}, {"n2"}, {"n3"}};
  script.nodes = {{"n1"}, {"n2"}, {"n3"}};
  EXPECT_EQ(chain({"replace", "n1", "n3"}).code, 5);
}

TEST_F(OperateTest, DoesNotWaitWhereNotWanted) {
  script.before = {{"n1"}};
  script.looksBeforeAfter = 1'000'000;
  auto ran = chain({"add", "n2", "--no-wait"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "decided: add n2\n");
}

TEST_F(OperateTest, SaysThatAChangeIsNotCompleteInTime) {
  script.before = {{"n1"}};
  script.nodes = {{"n1"}, {"n2"}};
  script.nodes[1].note = "copying, half of it is there";
  script.looksBeforeAfter = 1'000'000;
  auto ran = chain({"add", "n2"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_THAT(ran.out, HasSubstr("chain n1, epoch 7"));
  EXPECT_THAT(ran.err, AllOf(HasSubstr("not complete after 700ms; the master goes on"),
                             HasSubstr("n2: copying, half of it is there")));
}

TEST_F(OperateTest, SaysWhatHoldsAChangeUpThoughTheLastLookWasCutShort) {
  script.before = {{"n1"}};
  script.nodes = {{"n1"}, {"n2"}};
  script.nodes[1].note = "copying, half of it is there";
  script.looksBeforeAfter = 1'000'000;
  script.silentLook = 2;  // The command does not wait so long.
  auto ran = chain({"add", "n2"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_THAT(ran.err,
              AllOf(HasSubstr("not complete after 700ms"), Not(HasSubstr("no answer in time")),
                    HasSubstr("n2: copying, half of it is there")));
}

TEST_F(OperateTest, SaysThatTheMasterWasLostBeforeAChangeWasComplete) {
  script.before = {{"n1"}};
  script.nodes = {{"n1"}, {"n2"}};
  script.looksBeforeAfter = 1'000'000;
  script.lastLook = 2;
  auto ran = chain({"add", "n2"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("not complete after 700ms"),
                             HasSubstr("(the master at 127."), HasSubstr("Connection refused)")));
}

TEST_F(OperateTest, TellsWhyTheMasterRefuses) {
  script.before = {{"n1"}};
  script.refusal = "n1 is the last serving member";
  auto ran = chain({"drain", "n1"});
  EXPECT_EQ(ran.code, 6);
  EXPECT_THAT(ran.out, IsEmpty());
  EXPECT_EQ(ran.err, "gavel: refused: n1 is the last serving member\n");
  EXPECT_EQ(chain({"drain", "n1", "-o", "json"}).out,
            "{\"v\":1,\"refused\":\"n1 is the last serving member\"}\n");
}

TEST_F(OperateTest, DoesNotKnowWhatASilentMasterDecides) {
  script.before = {{"n1"}};
  script.silent = true;
  auto ran = chain({"drain", "n1"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_THAT(ran.err, HasSubstr("did not answer (no answer in time), and may or may not have"));
}

TEST_F(OperateTest, DoesNotKnowWhatALostMasterDecided) {
  script.before = {{"n1"}};
  script.breaks = true;
  auto ran = chain({"drain", "n1"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_THAT(ran.err, HasSubstr("may or may not have decided"));
}

TEST_F(OperateTest, RefusesArgumentsThatMakeNoSense) {
  for (auto& arguments: std::vector<std::vector<std::string>>{
           {"add"}, {"add", ""}, {"drain", "a", "b"}, {"replace", "n1"}, {"replace", "n1", "n1"}}) {
    EXPECT_EQ(chain(arguments).code, 2) << ::testing::PrintToString(arguments);
  }
  EXPECT_THAT(script.asked, IsEmpty());
}

TEST_F(OperateTest, IsContentWithASpareThatWaits) {
  script.before = {{"n1"}, {"n2"}};
  script.nodes = {{"n1"}, {"n2"}, {"n3"}};
  script.nodes[2].standing = Standing::SPARE;
  script.nodes[2].note = "spare: the chain has its length of 2";
  script.nodes[2].reason = "holds data of an earlier membership";
  auto ran = chain({"status", "--check"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "n3 is not in the chain: spare: the chain has its length of 2\n");
}

TEST_F(OperateTest, IsContentWithANodeThatWasDrainedWhateverBecameOfIt) {
  script.before = {{"n1"}, {"n2"}};
  script.nodes = {{"n1"}, {"n2"}, {"n3"}};
  script.nodes[2].standing = Standing::DRAINED;
  for (bool connected: {true, false}) {
    script.nodes[2].connected = connected;
    EXPECT_EQ(chain({"status", "--check"}).code, 0);
  }
}

TEST_F(OperateTest, MissesWhoeverIsOutsideForAnotherReason) {
  script.before = {{"n1"}, {"n2"}};
  script.nodes = {{"n1"}, {"n2"}, {"n3"}};
  auto& outside = script.nodes[2];
  for (auto standing:
       {Standing::GONE, Standing::REFUSED, Standing::UNFIT, Standing::WAITING, Standing::UNKNOWN}) {
    outside.standing = standing;
    outside.connected = standing != Standing::GONE && standing != Standing::REFUSED;
    outside.note = "as the master says";
    auto ran = chain({"status", "--check"});
    EXPECT_EQ(ran.code, 7);
    EXPECT_THAT(ran.err, HasSubstr("! n3 is not "));
    EXPECT_THAT(ran.err, HasSubstr(": as the master says\n"));
  }
}

TEST_F(OperateTest, MissesAMember) {
  script.before = {{"n1"}, {"n2"}};
  script.nodes = {{"n1"}, {"n2"}};
  script.nodes[1].connected = false;
  script.nodes[1].note = "refused: its clock is wrong";
  auto ran = chain({"status", "--check"});
  EXPECT_EQ(ran.code, 7);
  EXPECT_THAT(ran.err, HasSubstr("! n2 is refused: its clock is wrong\n"));
}

TEST_F(OperateTest, AlarmsAboutAChainThatDoesNotConfirm) {
  script.before = {{"n1"}, {"n2"}};
  script.nodes = {{"n1"}, {"n2"}};
  script.unconfirmed = "the chain does not answer";
  auto ran = chain({"status", "--check"});
  EXPECT_EQ(ran.code, 8);
  EXPECT_THAT(ran.err, HasSubstr("! the chain does not confirm: no answer to a query by n1 (the "
                                 "chain does not answer), n2 ("));
  EXPECT_THAT(chain({"status", "--check", "-o", "json"}).out,
              AllOf(HasSubstr("\"healthy\":false"), HasSubstr("\"confirmed\":false")));
  EXPECT_EQ(chain({"status", "--check", "--wait"}).code, 8);
  EXPECT_EQ(chain({"status"}).code, 0) << "it is not asked to judge";
  script.unconfirmed.clear();
  script.deaf = true;
  ran = chain({"status", "--check"});
  EXPECT_EQ(ran.code, 8);
  EXPECT_THAT(ran.err, HasSubstr("by n1 (no answer in time), n2 (no answer in time)"));
  script.deaf = false;
  EXPECT_EQ(chain({"status", "--check"}).code, 0);
}

TEST_F(OperateTest, AlarmsAboutALinkThatCarriesNoLargeMessage) {
  script.before = {{"n1"}, {"n2"}};
  script.nodes = {{"n1"}, {"n2"}};
  script.linkTrouble = "its link with n9 carries no large message";
  auto ran = chain({"status", "--check"});
  EXPECT_EQ(ran.code, 8);
  EXPECT_THAT(ran.err, HasSubstr("its link with n9 carries no large message"));
}

TEST_F(OperateTest, ShowsNoMemberAsWaiting) {
  script.before = {{"n1"}, {"n2"}};
  script.nodes = {{"n1"}, {"n2"}, {"n3"}};
  script.nodes[1].role = schema::NodeStatus::Role::WAITING;
  script.nodes[2].role = schema::NodeStatus::Role::WAITING;
  script.nodes[2].standing = Standing::SPARE;
  auto ran = chain({"status"});
  EXPECT_THAT(ran.out, ::testing::ContainsRegex("n2 .* adopting +serving"));
  EXPECT_THAT(ran.out, ::testing::ContainsRegex("n3 .* waiting +no member"));
}

TEST_F(OperateTest, ForgetsANode) {
  script.before = {{"n1"}};
  auto ran = chain({"forget", "n4"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(script.asked, ElementsAre("forget n4"));
  EXPECT_EQ(ran.out, "decided: forget n4\n");
  script.refusal = "n1 is a member";
  EXPECT_EQ(chain({"forget", "n1"}).code, 6);
}

TEST_F(OperateTest, AlarmsAboutDamage) {
  script.before = {{"n1"}, {"n2"}};
  script.nodes = {{"n1"}, {"n2"}, {"n3"}};
  script.nodes[2].standing = Standing::SPARE;
  script.nodes[2].damage = "the log is cut at 90";
  auto ran = chain({"status", "--check"});
  EXPECT_EQ(ran.code, 7);
  EXPECT_THAT(ran.err, HasSubstr("n3 has found damage: the log is cut at 90"));
}

TEST_F(OperateTest, ShowsWhatTheMasterWaitsFor) {
  script.before = {{"n1"}, {"n2"}};
  script.nodes = {{"n1"}, {"n2"}};
  script.notice = "waits for n1";
  auto ran = chain({"status", "--check"});
  EXPECT_EQ(ran.code, 7);
  EXPECT_THAT(ran.out, HasSubstr("\nnotice: waits for n1\n#  NAME "));
  EXPECT_THAT(chain({"status", "-o", "json"}).out,
              AllOf(HasSubstr("\"healthy\":false"), HasSubstr("\"notice\":\"waits for n1\"")));
}

TEST_F(OperateTest, WaitsForANodeThatWasJustStarted) {
  script.before = {{"n1"}};
  script.after = {{"n1"}, {"n2"}};
  script.nodes = {{"n1"}, {"n2"}};
  script.questionsBeforeLast = 2;
  auto ran = chain({"add", "n2"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "waiting until the master hears of n2\n");
}

TEST_F(OperateTest, LeavesItToTheMasterToRefuseANodeThatNeverCame) {
  script.before = {{"n1"}};
  script.nodes = {{"n1"}};
  script.refusal = "no node of that name has registered";
  EXPECT_EQ(chain({"add", "n2"}).code, 6);
  EXPECT_THAT(script.asked, ElementsAre("add n2"));
}

TEST_F(OperateTest, WaitsUntilAllIsWell) {
  script.before = {{"n1"}, {"n2"}};
  script.nodes = {{"n1"}, {"n2"}};
  script.questionsBeforeLast = 2;
  EXPECT_EQ(chain({"status", "--check", "--serving", "2"}).code, 7);
  script.questionsBeforeLast = 2;
  EXPECT_EQ(chain({"status", "--check", "--wait", "--serving", "2"}).code, 0);
  auto ran = chain({"status", "--check", "--wait", "--serving", "3"});
  EXPECT_EQ(ran.code, 7);
  EXPECT_THAT(ran.err, HasSubstr("! 2 of 3 members serve"));
  EXPECT_EQ(chain({"status", "--check", "--serving", "n1,n2"}).code, 0);
  EXPECT_THAT(chain({"status", "--check", "--serving", "n2,n3"}).err,
              HasSubstr("! n3 does not serve"));
  EXPECT_EQ(chain({"status", "--serving", "0"}).code, 2);
  EXPECT_EQ(chain({"status", "--serving", ""}).code, 2);
  EXPECT_EQ(chain({"status", "--serving", "n1,,n2"}).code, 2);
}

// ---------------------------------------------------------------------------------------------------

class RecoverTest: public OperateTest {
public:
  RecoverTest() {
    script.before = {{"n1"}, {"n2"}, {"n3"}};
    script.after = {{"n2"}};
    script.nodes = {{"n1"}, {"n2"}, {"n3"}};
    for (auto& node: script.nodes) {
      node.connected = node.name == "n2";
      node.restarted = node.name == "n2";
      node.last = 120;
    }
    script.nodes[0].last = 123;
  }
  ~RecoverTest() noexcept override = default;
};

TEST_F(RecoverTest, NeedsConfirmation) {
  auto ran = chain({"recover", "n2"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("give --yes"));
  EXPECT_THAT(script.asked, IsEmpty());
}

TEST_F(RecoverTest, TakesTheNodesNameForAYes) {
  auto ran = chainAtTerminal({"recover", "n2"}, "n2");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(script.asked, ElementsAre("recover n2 7"));
  EXPECT_THAT(ran.out, HasSubstr("chain n2, epoch 8"));
  EXPECT_THAT(
      ran.err,
      AllOf(HasSubstr("chain n1 > n2 > n3, epoch 7 (formed)"),
            HasSubstr("n1 (serving): is not there"), HasSubstr("n2 (serving): is back, restarted"),
            HasSubstr("n2 ends at entry 120"),
            HasSubstr("may lose 3 entries: 121 to 123, which n1 was last heard to have"),
            HasSubstr("Type the node's name, n2,")));
}

TEST_F(RecoverTest, TakesAnythingElseForANo) {
  for (auto* typed: {"yes", "n1", ""}) {
    auto ran = chainAtTerminal({"recover", "n2", "-q"}, typed);
    EXPECT_EQ(ran.code, 2) << typed;
    EXPECT_THAT(ran.err, AllOf(HasSubstr("may lose 3 entries"), HasSubstr("nothing was changed")));
  }
  EXPECT_THAT(script.asked, IsEmpty());
}

TEST_F(RecoverTest, SaysThatTheLossCannotBeKnown) {
  script.nodes[0].heard = false;
  script.nodes[2].last = 120;
  auto ran = chain({"recover", "n2", "--yes"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, AllOf(HasSubstr("ends no earlier than n3 was last heard to"),
                             HasSubstr("cannot be known, as the master has not heard of n1")));
  script.nodes.erase(script.nodes.begin());
  script.asked.clear();
  EXPECT_THAT(chain({"recover", "n2", "--yes"}).err, HasSubstr("has not heard of n1 since"));
}

TEST_F(RecoverTest, WarnsOfDamageAndOfMembersThatRun) {
  script.nodes[1].damage = "the log is cut at 90";
  script.nodes[2].connected = true;
  script.refusal = "n3 still runs";
  auto ran = chain({"recover", "n2", "--yes"});
  EXPECT_EQ(ran.code, 6);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("n3 (serving): RUNS as a member"),
                             HasSubstr("n2 reports damage: the log is cut at 90"),
                             HasSubstr("refused: n3 still runs")));
}

TEST_F(RecoverTest, NeedsANodeThatIsThere) {
  auto absent = chain({"recover", "n1", "--yes"});
  EXPECT_EQ(absent.code, 6);
  EXPECT_THAT(absent.err, HasSubstr("n1 is not reached: start it first"));
  auto unknown = chain({"recover", "n9", "--yes"});
  EXPECT_EQ(unknown.code, 6);
  EXPECT_THAT(unknown.err, HasSubstr("no node named n9; it knows n1, n2 and n3"));
  EXPECT_THAT(script.asked, IsEmpty());
}

TEST_F(RecoverTest, HasNothingToRecoverWhereNoChainFormed) {
  script.before = {};
  auto ran = chain({"recover", "n2", "--yes"});
  EXPECT_EQ(ran.code, 6);
  EXPECT_THAT(ran.err, HasSubstr("no chain has ever formed here"));
}

TEST_F(RecoverTest, NeedsAMaster) {
  serving.serve(kj::heap<OperatedMaster>(script, serving));
  serving.lose();
  auto ran = runGavel(home.path(), {"chain", "recover", "n2", "--yes", "-s", "127.0.0.1:1"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("nobody answers"), Not(HasSubstr("Type"))));
}

TEST_F(OperateTest, AcceptsTheClockOfTheHeadAsItWasShown) {
  script.before = {{"n1"}, {"n2"}};
  script.after = script.before;
  script.nodes = {{"n1"}, {"n2"}};
  script.nodes[0].clock = 1'700'000'000'000'000'000;
  script.nodes[0].leap = 8 * DAY;
  auto ran = chain({"clock", "--accept"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(script.asked, ElementsAre("accept 1700003600000000000")) << "an hour to decide";
  EXPECT_EQ(ran.out, "decided: accept 1700003600000000000\n");
  EXPECT_THAT(ran.err, HasSubstr("the clock of n1 says 2023-11-14T22:13:20Z"));
  script.refusal = "n1: its clock is not in question";
  EXPECT_EQ(chain({"clock", "--accept"}).code, 6);
}

TEST_F(OperateTest, ShowsClocksAndChainTime) {
  script.before = {{"n1"}, {"n2"}};
  script.nodes = {{"n1"}, {"n2", false}};
  script.nodes[0].clock = 1'700'000'000'000'000'000;
  script.nodes[0].chainTime = 1'700'000'000'000'000'000 + 400 * DAY;
  auto ran = chain({"clock"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("n1    2023-11-14T22:13:20Z  2024-12-18T22:13:20Z  400d"));
  EXPECT_THAT(ran.out, HasSubstr("n2    not reached"));
  EXPECT_THAT(ran.err, HasSubstr("chain time is 400d ahead of the clock of n1"));
  EXPECT_THAT(chain({"clock", "-o", "json"}).out,
              HasSubstr("\"chainTime\":\"1734560000000000000\""));
  EXPECT_TRUE(script.asked.empty());
}

TEST_F(OperateTest, StatusAlarmsWhereClocksAreNotBelievedOrWereAhead) {
  script.before = {{"n1"}};
  script.nodes = {{"n1"}};
  script.nodes[0].clock = 1'700'000'000'000'000'000;
  script.nodes[0].chainTime = script.nodes[0].clock + 100'000'000;
  EXPECT_EQ(chain({"status", "--check"}).code, 0);
  script.nodes[0].chainTime = script.nodes[0].clock + 400 * DAY;
  auto ahead = chain({"status", "--check"});
  EXPECT_EQ(ahead.code, 7);
  EXPECT_THAT(ahead.err, HasSubstr("! chain time is 400d ahead of the clock of n1"));
  script.nodes[0].chainTime = script.nodes[0].clock;
  script.nodes[0].leap = 8 * DAY;
  auto leap = chain({"status", "--check"});
  EXPECT_EQ(leap.code, 7);
  EXPECT_THAT(leap.err, AllOf(HasSubstr("! n1 takes no calls: its clock says"),
                              HasSubstr("8d above"), HasSubstr("'gavel chain clock --accept'")));
}

TEST_F(OperateTest, StatusSaysWhyANodeIsRefused) {
  script.before = {{"n1"}, {"n2"}};
  script.nodes = {{"n1"}, {"n2", false}, {"n3", false}};
  script.nodes[1].standing = script.nodes[2].standing = Standing::REFUSED;
  script.nodes[1].note = script.nodes[2].note = "refused: its clock says something else";
  auto ran = chain({"status", "--check"});
  EXPECT_EQ(ran.code, 7);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("! n2 is refused: its clock says something else"),
                             HasSubstr("! n3 is refused: its clock says something else")));
  EXPECT_THAT(ran.err, Not(HasSubstr("start it")));
}

}  // namespace
}  // namespace gavel::client::testing
