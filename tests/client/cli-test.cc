#include <arpa/inet.h>
#include <filesystem>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/program.h"
#include "tests/client/world.h"
#include "tests/support/fakes.h"

// The built program, run like a user does.
namespace gavel::client::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class CliTest: public ::testing::Test {
public:
  gavel::testing::TemporaryDirectory home;

  Ran gavel(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    return runGavel(home.path(), std::move(arguments), std::move(environment));
  }

  // Nobody listens on port 1.  The timeout is short, so that nothing waits for long.
  Ran withoutChain(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-s", "127.0.0.1:1", "--timeout", "150ms"});
    return gavel(std::move(arguments));
  }

  void expectUsageError(const std::vector<std::string>& arguments, const std::string& text) {
    auto ran = gavel(arguments);
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(text));
    EXPECT_THAT(ran.out, IsEmpty());
  }
};

TEST_F(CliTest, TellsItsVersion) {
  auto ran = gavel({"--version"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, StartsWith("gavel "));
}

TEST_F(CliTest, HelpsOnEachCommand) {
  for (auto command: {"up", "bid", "result", "query", "history", "watch", "completion", "auctions",
                      "chain", "replay", "bench"}) {
    auto ran = gavel({command, "--help"});
    EXPECT_EQ(ran.code, 0) << command;
    EXPECT_THAT(ran.out, HasSubstr(std::string("Usage: gavel ") + command));
  }
  EXPECT_EQ(gavel({}).code, 2);
  EXPECT_EQ(gavel({"auctions"}).code, 2);
}

// What bash would offer after these words, the last of which is unfinished.
std::string offered(const std::string& script, const std::string& words) {
  auto count = std::count(words.begin(), words.end(), ' ');
  auto command = "eval \"$SCRIPT\"; COMP_WORDS=(" + words +
                 "); COMP_CWORD=" + std::to_string(count) + "; _gavel; echo \"${COMPREPLY[*]}\"";
  setenv("SCRIPT", script.c_str(), 1);
  auto* pipe = popen(("bash -c '" + command + "'").c_str(), "r");
  std::string output(4096, '\0');
  output.resize(fread(output.data(), 1, output.size(), pipe));
  pclose(pipe);
  unsetenv("SCRIPT");
  return output;
}

TEST_F(CliTest, CompletesCommandsAndOptions) {
  auto bash = gavel({"completion", "bash"});
  ASSERT_EQ(bash.code, 0) << bash.err;
  EXPECT_EQ(offered(bash.out, "gavel wat"), "watch\n");
  EXPECT_EQ(offered(bash.out, "gavel -o json chain sta"), "status\n");
  EXPECT_EQ(offered(bash.out, "gavel auctions create --reser"), "--reserve\n");
  EXPECT_EQ(offered(bash.out, "gavel auctions create --serv"), "--server\n") << "global ones too";
  EXPECT_THAT(gavel({"completion", "zsh"}).out, StartsWith("#compdef gavel\n"));
  auto fish = gavel({"completion", "fish"});
  EXPECT_THAT(fish.out, HasSubstr("__gavel_at 'gavel chain'"));
  expectUsageError({"completion", "csh"}, "must be bash, zsh or fish, not \"csh\"");
}

TEST_F(CliTest, PrintsAManualPage) {
  auto ran = gavel({"--manual-page"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, AllOf(StartsWith(".TH GAVEL 1"), HasSubstr(".SS gavel chain status"),
                             HasSubstr("Exit codes")));
}

TEST_F(CliTest, SuggestsWhatWasMeant) {
  expectUsageError({"bdi", "5"}, "unknown command \"bdi\"; did you mean \"bid\"?");
  expectUsageError({"auctions", "lst"}, "did you mean \"list\"?");
  expectUsageError({"bid", "5", "--acution", "x"}, "did you mean \"--auction\"?");
  expectUsageError({"bid", "5", "--timeuot=3s"}, "did you mean \"--timeout\"?");
  expectUsageError({"bid", "5", "6"}, "unknown argument \"6\"");
  expectUsageError({"xyzzy"}, "unknown command \"xyzzy\"\n");
}

TEST_F(CliTest, RefusesBadAmounts) {
  expectUsageError({"bid"}, "AMOUNT is required");
  expectUsageError({"bid", "0"}, "AMOUNT: must be positive");
  expectUsageError({"bid", "-5"}, "AMOUNT: must be positive, not -5");
  expectUsageError({"bid", "abc"}, "AMOUNT: \"abc\" is not a whole number");
  expectUsageError({"bid", "12.50"}, "AMOUNT: \"12.50\" is not a whole number");
  expectUsageError({"bid", "1e3"}, "AMOUNT");
  expectUsageError({"bid", ""}, "AMOUNT: is empty");
  expectUsageError({"bid", "9223372036854775808"}, "AMOUNT: \"9223372036854775808\" is too large");
}

TEST_F(CliTest, RefusesBadNames) {
  expectUsageError({"bid", "5", "-a", ""}, "--auction: must not be empty");
  expectUsageError({"bid", "5", "--as", ""}, "--as: must not be empty");
  expectUsageError({"bid", "5", "--as", std::string(10'000, 'x')}, "--as: is 10000 bytes long");
  expectUsageError({"bid", "5", "-a", "\xff\xfe"}, "--auction: \"??\" is not valid UTF-8");
  expectUsageError({"bid", "5", "-a", "a\nb"}, "control character");
  expectUsageError({"auctions", "create", "x", "--item", std::string(5000, 'x')}, "--item");
}

TEST_F(CliTest, RefusesBadTerms) {
  auto create = [&](std::vector<std::string> more, const std::string& text) {
    more.insert(more.begin(), {"auctions", "create", "x"});
    expectUsageError(more, text);
  };
  create({"--duration", "10"}, "--duration: \"10\" is not a duration: the unit is missing");
  create({"--duration", "20000d"}, "--duration");
  create({"--increment", "0"}, "--increment");
  create({"--increment", "2.555%"}, "two decimals");
  create({"--increment", "%"}, "--increment");
  create({"--soft-close", "1m,2m"}, "--soft-close: expected WINDOW,EXTENSION,HARD_END");
  create({"--soft-close", "1m,2m,5m"}, "--soft-close: HARD_END must not come before");
  create({"--reserve", "-1"}, "--reserve");
}

TEST_F(CliTest, RefusesBadGlobals) {
  expectUsageError({"bid", "5", "-s", "foo"}, "--server: \"foo\" is not an address");
  expectUsageError({"bid", "5", "-s", "foo:99999"}, "--server");
  expectUsageError({"bid", "5", "-o", "xml"}, "--output");
  expectUsageError({"bid", "5", "--timeout", "-5s"}, "--timeout");
  expectUsageError({"bid", "5", "--request", "7"}, "--request");
  expectUsageError({"result", "--at", ""}, "--at: must not be empty");
}

TEST_F(CliTest, NamesEveryAddressThatFails) {
  auto ran = gavel({"bid", "5", "-s", "127.0.0.1:1,no-such-host.invalid:7", "--timeout", "400ms"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("certainly not applied"),
                             HasSubstr("127.0.0.1:1: Connection refused"),
                             HasSubstr("no-such-host.invalid:7: ")));
  auto query = withoutChain({"result"});
  EXPECT_EQ(query.code, 4);
  EXPECT_THAT(query.err, HasSubstr("127.0.0.1:1: Connection refused"));
  EXPECT_THAT(query.out, IsEmpty());
  EXPECT_EQ(withoutChain({"chain", "status"}).code, 4);
}

TEST_F(CliTest, PrefersFlagsToEnvironmentToFile) {
  std::filesystem::create_directory(home.path() + "/gavel");
  writeFile(home.path() + "/gavel/config.toml",
            "server = [\"127.0.0.1:3\", \"127.0.0.1:4\"]\ntimeout = \"100ms\"\n");
  auto server = [&](std::vector<std::string> flags, std::vector<std::string> environment) {
    flags.push_back("result");
    return gavel(flags, environment).err;
  };
  EXPECT_THAT(server({}, {}), AllOf(HasSubstr("127.0.0.1:3:"), HasSubstr("127.0.0.1:4:")));
  EXPECT_THAT(server({}, {"GAVEL_SERVER=127.0.0.1:2"}), HasSubstr("(127.0.0.1:2:"));
  EXPECT_THAT(server({"-s", "127.0.0.1:1"}, {"GAVEL_SERVER=127.0.0.1:2"}),
              HasSubstr("(127.0.0.1:1:"));
  EXPECT_THAT(server({}, {"GAVEL_TIMEOUT=never"}), HasSubstr("GAVEL_TIMEOUT: \"never\""));
}

TEST_F(CliTest, NamesTheLineOfABadSetting) {
  std::filesystem::create_directory(home.path() + "/gavel");
  auto path = home.path() + "/gavel/config.toml";
  writeFile(path, "output = \"json\"\ntimeuot = \"5s\"\n");
  expectUsageError({"result"},
                   path + " line 2 (timeuot): there is no such setting; did you mean timeout?");
  writeFile(path, "output = \"json\n");
  expectUsageError({"result"}, path + " line 1");
  writeFile(path, "timeout = 5\n");
  expectUsageError({"result"}, path + " line 1 (timeout): must be a text in quotes");
}

TEST_F(CliTest, MakesACredentialOnce) {
  std::vector<std::thread> users;
  for (int i = 0; i < 8; ++i) users.emplace_back([&]() { withoutChain({"bid", "5"}); });
  for (auto& user: users) user.join();
  auto path = home.path() + "/gavel/credential";
  auto first = readFile(path);
  EXPECT_EQ(first.size(), 32u);
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  auto entries = std::filesystem::directory_iterator(home.path() + "/gavel");
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1) << "no temporary files";
  withoutChain({"bid", "5"});
  EXPECT_EQ(readFile(path), first);

  chmod(path.c_str(), 0644);
  EXPECT_THAT(withoutChain({"bid", "5"}).err, HasSubstr("others may read credential file"));
  auto other = home.path() + "/short";
  writeFile(other, "short");
  auto ran = withoutChain({"bid", "5", "--credential-file", other});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("16 to 64 are needed"));
}

// ---------------------------------------------------------------------------------------------------
// With a scripted node as the chain, in a process of its own.

class CliOnNodeTest: public CliTest {
public:
  pid_t server = -1;
  std::string address;
  std::int64_t highest = 0;
  int requests = -1;  // A byte can be read here for each write request that arrived.

  void serve(std::deque<Reply> replies, Reply afterwards) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    server = fork();
    if (server == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      auto io = kj::setupAsyncIo();
      auto receiver =
          io.provider->getNetwork().parseAddress("127.0.0.1:0").wait(io.waitScope)->listen();
      unsigned port = receiver->getPort();
      Script script;
      script.replies = replies;
      script.afterwards = afterwards;
      script.highest = highest;
      script.members = {{"n1", "127.0.0.1:" + std::to_string(port)}};
      script.onRequest = [&]() { KJ_SYSCALL(write(ends[1], "", 1)); };
      capnp::TwoPartyServer rpc(kj::heap<ScriptedNode>(script));
      KJ_SYSCALL(write(ends[1], &port, sizeof(port)));
      rpc.listen(*receiver).wait(io.waitScope);
      _exit(0);
    }
    unsigned port = 0;
    ASSERT_EQ(read(ends[0], &port, sizeof(port)), static_cast<ssize_t>(sizeof(port)));
    close(ends[1]);
    requests = ends[0];
    address = "127.0.0.1:" + std::to_string(port);
  }

  ~CliOnNodeTest() override {
    close(requests);
    if (server <= 0) return;
    kill(server, SIGKILL);
    waitpid(server, nullptr, 0);
  }

  Ran onNode(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-s", address, "--timeout", "500ms"});
    return gavel(std::move(arguments));
  }
};

TEST_F(CliOnNodeTest, Bids) {
  serve({}, Reply::success);
  auto ran = onNode({"bid", "120", "-a", "lamp"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, StartsWith("success: 120 leads auction \"lamp\" (version 1, ends in "));
  EXPECT_THAT(ran.err, IsEmpty());
}

TEST_F(CliOnNodeTest, BidsInJson) {
  serve({}, Reply::success);
  EXPECT_EQ(onNode({"-o", "json", "bid", "120"}).out,
            "{\"v\":1,\"request\":\"100-1\",\"outcome\":{\"success\":{\"version\":\"1\",\"index\":"
            "\"0\",\"stamp\":\"0\",\"deadline\":\"0\"}}}\n");
}

TEST_F(CliOnNodeTest, AsksAtATerminalWhetherAStartlingBidIsMeant) {
  highest = 120;
  serve({}, Reply::success);
  auto onTerminal = [&](std::vector<std::string> arguments, const std::string& typed) {
    arguments.insert(arguments.end(), {"-s", address, "--timeout", "500ms"});
    return runGavelOnTerminal(home.path(), std::move(arguments), typed);
  };
  auto refused = onTerminal({"bid", "1201"}, "n");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("1201 is 10 times the highest bid, 120. Bid it? [y/N]"),
                                 HasSubstr("nothing was bid")));
  EXPECT_EQ(onTerminal({"bid", "1201"}, "y").code, 0);
  EXPECT_EQ(onTerminal({"bid", "1201", "--yes"}, "n").code, 0);
  EXPECT_EQ(onTerminal({"bid", "600"}, "n").code, 0) << "five times is not more than five times";
  EXPECT_EQ(onNode({"bid", "1201"}).code, 0) << "nobody is there to be asked";
}

TEST_F(CliOnNodeTest, SaysThatABidFailed) {
  serve({}, Reply::tooLow);
  auto ran = onNode({"bid", "100"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_THAT(ran.out, StartsWith("fail: 100 is too low; the highest bid is 120, "));
}

TEST_F(CliOnNodeTest, SaysThatThereIsNoSuchAuction) {
  serve({}, Reply::noSuchAuction);
  EXPECT_EQ(onNode({"bid", "100"}).code, 6);
}

TEST_F(CliOnNodeTest, SaysThatABidWasCertainlyNotApplied) {
  serve({}, Reply::unavailable);
  auto ran = onNode({"bid", "100"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_THAT(ran.out, HasSubstr("certainly not applied"));
}

TEST_F(CliOnNodeTest, SaysHowToSettleAnUnknownOutcome) {
  serve({Reply::silent}, Reply::success);
  auto ran = onNode({"bid", "100", "-a", "old lamp"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_THAT(ran.out, StartsWith("exception: outcome unknown"));
  auto command = std::string(GAVEL_BINARY) + " bid 100 -a 'old lamp' -s " + address +
                 " --timeout 500ms --request 100-1";
  EXPECT_THAT(ran.err, HasSubstr(command));
  EXPECT_EQ(onNode({"bid", "100", "-a", "old lamp", "--request", "100-1"}).code, 0);
}

TEST_F(CliOnNodeTest, TellsTheIdOfAnInterruptedBid) {
  serve({}, Reply::silent);
  auto ran = runGavel(home.path(), {"bid", "100", "-s", address}, {}, requests);
  EXPECT_EQ(ran.code, 130);
  EXPECT_THAT(ran.err, HasSubstr("bid 100 -s " + address + " --request 100-1"));
}

TEST_F(CliOnNodeTest, AnswersQueriesInJson) {
  serve({}, Reply::success);
  auto ran = onNode({"query", "-a", "lamp", "-o", "json"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, StartsWith("{\"v\":1,\"auction\":{\"id\":\"0\",\"name\":\"lamp\","));
}

TEST_F(CliOnNodeTest, QueriesOneNode) {
  serve({}, Reply::success);
  for (auto& at: {std::string("n1"), address}) {
    EXPECT_THAT(onNode({"result", "-a", "lamp", "--at", at}).out, HasSubstr("auction \"lamp\""));
    EXPECT_THAT(onNode({"auctions", "show", "lamp", "--at", at}).out, HasSubstr("lamp"));
    EXPECT_THAT(onNode({"auctions", "list", "--at", at}).out, HasSubstr("lamp"));
    EXPECT_EQ(onNode({"history", "-a", "lamp", "--at", at}).code, 0);
  }
}

TEST_F(CliOnNodeTest, SaysThatANodeIsNoServingMember) {
  serve({}, Reply::success);
  for (auto& query: std::vector<std::vector<std::string>>{{"result"},
                                                          {"result", "--wait"},
                                                          {"history"},
                                                          {"auctions", "list"},
                                                          {"auctions", "show", "lamp"}}) {
    auto arguments = query;
    arguments.insert(arguments.end(), {"--at", "n9"});
    auto ran = onNode(arguments);
    EXPECT_EQ(ran.code, 4) << query.front();
    EXPECT_EQ(ran.err, "gavel: unavailable: n9 is not a serving member of the chain: n1\n");
    EXPECT_THAT(ran.out, IsEmpty());
  }
}

TEST_F(CliOnNodeTest, ShowsTheChainWithoutAMaster) {
  serve({}, Reply::success);
  auto members = onNode({"chain", "members"});
  EXPECT_EQ(members.code, 0);
  EXPECT_THAT(members.out, HasSubstr(address));
  EXPECT_THAT(members.err, HasSubstr("no master answers"));
  EXPECT_EQ(onNode({"chain", "status", "--check"}).code, 7);
  EXPECT_EQ(onNode({"chain", "epochs"}).code, 0);
}

TEST_F(CliOnNodeTest, CountsEveryOutcomeOfAReplay) {
  serve({}, Reply::tooLow);
  auto file = home.path() + "/bids.csv";
  writeFile(file, "auction,duration_s,at_s,bidder,amount_cents\na,60,0,x,5\na,60,1,y,6\n");
  // The scripted node does not know how to create auctions.
  auto ran = onNode({"replay", file});
  EXPECT_NE(ran.code, 0);
  EXPECT_THAT(ran.err, HasSubstr("auction \"a\" was not created"));
}

TEST_F(CliTest, RefusesAMalformedRecording) {
  auto file = home.path() + "/bids.csv";
  writeFile(file, "auction,duration_s,at_s,bidder,amount_cents\na,60,0,x,5\na,60,1,y,six\n");
  expectUsageError({"replay", file},
                   file + ": line 3, column 10: amount_cents: \"six\" is not a whole number");
  expectUsageError({"replay", home.path() + "/none.csv"}, "none.csv: No such file or directory");
  expectUsageError({"replay", home.path()}, "cannot read");
}

TEST_F(CliTest, SaysThatAPortIsInUse) {
  auto io = kj::setupAsyncIo();
  auto receiver =
      io.provider->getNetwork().parseAddress("127.0.0.1:0").wait(io.waitScope)->listen();
  auto port = std::to_string(receiver->getPort());
  auto ran = gavel({"up", "--port", port, "--dir", home.path() + "/up"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("port " + port + " for the master cannot be used"));
  EXPECT_FALSE(std::filesystem::exists(home.path() + "/up"));
}

}  // namespace
}  // namespace gavel::client::testing
