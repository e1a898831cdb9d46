#include <filesystem>
#include <unistd.h>
#include <xxhash.h>

#include <capnp/serialize.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/message.h"
#include "schema/peer.capnp.h"
#include "tests/client/serving.h"
#include "tests/support/fakes.h"

// `gavel chain backup`, with the built program and a scripted node.
namespace gavel::client::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr std::size_t NONE = 1000;

struct SourceScript {
  std::uint32_t formatVersion = 1;
  std::vector<std::string> parts = {"one", std::string(300'000, 'x'), "three"};
  std::size_t changed = NONE;   // This part arrives with a flipped bit.
  std::size_t missing = NONE;   // This part is not sent.
  std::size_t silentAt = NONE;  // Nothing is sent from this part on.
  std::size_t lostAt = NONE;    // The connection breaks before this part.
  std::size_t failsAt = NONE;   // The node gives up before this part.
  std::uint64_t partsTold = 3;
  std::uint64_t epoch = 7;  // The epoch that the node knows.
  std::uint64_t committed = 1230;
  bool lostAfterwards = false;  // The connection breaks when everything is finished.
  bool cannotConfirm = false;
  bool alsoFirst = false;  // It is also the member n1, and n2 cannot be reached.
  std::function<void(std::size_t)> beforePart = [](std::size_t) {};
  std::string port;
};

class BackedUpNode final: public schema::NodeService::Server {
public:
  BackedUpNode(SourceScript& script, Serving& serving): script(script), serving(serving) {}

  kj::Promise<void> configuration(ConfigurationContext context) override {
    auto configuration = context.getResults().initConfiguration();
    configuration.setClusterId(77);
    configuration.setEpoch(7);
    auto members = configuration.initMembers(2);
    members[0].setName("n1");
    members[0].setAddress(script.alsoFirst ? script.port.c_str() : "127.0.0.1:1");
    members[1].setName("n2");
    members[1].setAddress(script.alsoFirst ? "127.0.0.1:1" : script.port.c_str());
    return kj::READY_NOW;
  }

  kj::Promise<void> snapshot(SnapshotContext context) override {
    auto begin = context.getParams().getReceiver().beginRequest();
    auto header = begin.initHeader();
    header.setFormatVersion(script.formatVersion);
    header.setClusterId(77);
    header.getPosition().setEpoch(7);
    header.getPosition().setIndex(1234);
    header.setConfigurationEpoch(script.epoch);
    header.setUnconfirmed(context.getParams().getUnconfirmed());
    header.setCommitted(script.committed);
    if (script.cannotConfirm && !context.getParams().getUnconfirmed()) {
      return KJ_EXCEPTION(OVERLOADED, "the chain does not confirm");
    }
    auto sink = begin.send().getSink();
    return send(sink, 0, 0)
        .then([this, sink]() mutable {
          auto finish = sink.finishRequest();
          finish.setParts(script.partsTold);
          return finish.send().ignoreResult();
        })
        .then([this]() -> kj::Promise<void> {
          if (!script.lostAfterwards) return kj::READY_NOW;
          serving.loseLater();
          return kj::NEVER_DONE;
        });
  }

private:
  SourceScript& script;
  Serving& serving;

  kj::Promise<void> send(schema::SnapshotSink::Client sink, std::size_t i, std::uint64_t checksum) {
    script.beforePart(i);
    if (i == script.silentAt) return kj::NEVER_DONE;
    if (i == script.lostAt) {
      serving.loseLater();
      return kj::NEVER_DONE;
    }
    if (i == script.failsAt) return KJ_EXCEPTION(FAILED, "a block on disk is damaged");
    if (i == script.parts.size()) return kj::READY_NOW;
    auto& part = script.parts[i];
    checksum = XXH3_64bits_withSeed(part.data(), part.size(), checksum);
    if (i == script.missing) return send(sink, i + 1, checksum);
    auto request = sink.writeRequest();
    auto records = request.initRecords();
    records.setChecksum(checksum);
    auto data = records.initData(static_cast<unsigned>(part.size()));
    std::copy(part.begin(), part.end(), data.begin());
    if (i == script.changed) data[0] ^= 1;
    return request.send().then(
        [this, sink, i, checksum]() mutable { return send(sink, i + 1, checksum); });
  }
};

class BackupTest: public ::testing::Test {
public:
  ~BackupTest() noexcept override = default;

  gavel::testing::TemporaryDirectory home;
  SourceScript script;
  Serving serving;
  std::string directory = home.path() + "/backups/monday";

  Ran backup(std::vector<std::string> more = {}, std::optional<int> interrupt = std::nullopt) {
    script.port = serving.serve(kj::heap<BackedUpNode>(script, serving));
    more.insert(more.begin(), {"chain", "backup", directory, "-s", script.port});
    if (!interrupt) more.insert(more.end(), {"--timeout", "600ms"});
    return serving.run([&]() { return runGavel(home.path(), more, {}, interrupt); });
  }

  // Includes hidden ones.
  std::vector<std::string> files() {
    std::vector<std::string> names;
    for (auto& entry: std::filesystem::directory_iterator(directory)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  void expectNothingLeft() { EXPECT_THAT(files(), IsEmpty()); }
};

TEST_F(BackupTest, WritesHeaderRecordsAndEnd) {
  auto ran = backup();
  EXPECT_EQ(ran.code, 0) << ran.err;
  auto contents = readFile(directory + "/snapshot");
  EXPECT_THAT(ran.out, MatchesRegex("backup from n2 as of entry 1234 of epoch 7: 3 parts, " +
                                    std::to_string(contents.size()) + " bytes in .*, " + directory +
                                    "/snapshot\n"));
  EXPECT_EQ(files().size(), 1u);

  kj::ArrayInputStream bytes(
      kj::arrayPtr(reinterpret_cast<const kj::byte*>(contents.data()), contents.size()));
  auto next = [&]() {
    capnp::InputStreamMessageReader message(bytes);
    return Message<schema::SnapshotPart>(message.getRoot<schema::SnapshotPart>());
  };
  auto header = next();
  ASSERT_TRUE(header.get().isHeader());
  EXPECT_EQ(header.get().getHeader().getPosition().getIndex(), 1234u);
  std::uint64_t checksum = 0;
  for (auto& part: script.parts) {
    auto message = next();
    ASSERT_TRUE(message.get().isRecords());
    auto data = message.get().getRecords().getData();
    EXPECT_EQ(std::string(data.asChars().begin(), data.size()), part);
    checksum = message.get().getRecords().getChecksum();
  }
  auto end = next();
  ASSERT_TRUE(end.get().isEnd());
  EXPECT_EQ(end.get().getEnd().getParts(), 3u);
  EXPECT_EQ(end.get().getEnd().getChecksum(), checksum);
  EXPECT_EQ(bytes.tryGetReadBuffer().size(), 0u);
}

TEST_F(BackupTest, ReportsInJson) {
  auto ran = backup({"-o", "json", "--from", "n2"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("{\"v\":1,\"file\":\"" + directory + "/snapshot\","),
                             HasSubstr("\"node\":\"n2\""), HasSubstr("\"index\":\"1234\""),
                             HasSubstr("\"parts\":\"3\"")));
}

TEST_F(BackupTest, SaysWhatAnUnconfirmedOneMeans) {
  script.cannotConfirm = true;
  auto refused = backup();
  EXPECT_EQ(refused.code, 4);
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr("the chain does not confirm"),
                    HasSubstr("--unconfirmed takes a backup that it need not confirm")));
  expectNothingLeft();
  auto ran = backup({"--unconfirmed"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out,
              HasSubstr("backup from n2 as of entry 1234 of epoch 7, unconfirmed: 3 parts"));
  EXPECT_THAT(ran.err,
              HasSubstr("It has all that was acknowledged up to epoch 7; if the master made a "
                        "later one, what was acknowledged in that is missing.  Of its entries, "
                        "4, from 1231 on, are perhaps such as nobody was told of."));
}

TEST_F(BackupTest, UnconfirmedIsTakenFromAnyMemberThatIsReached) {
  script.alsoFirst = true;
  EXPECT_EQ(backup().code, 4);
  script.committed = 1234;
  auto ran = backup({"--unconfirmed"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("backup from n1"));
  EXPECT_THAT(ran.err, AllOf(HasSubstr("n2 at 127.0.0.1:1 is not reached: Connection refused"),
                             Not(HasSubstr("nobody was told of"))));
}

TEST_F(BackupTest, UnconfirmedIsNotTakenFromAMemberOfAnOlderConfiguration) {
  script.epoch = 6;
  auto ran = backup({"--unconfirmed"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_THAT(ran.err, HasSubstr("it knows of epoch 6 only, and there is epoch 7"));
  expectNothingLeft();
}

TEST_F(BackupTest, TakesAnEmptyState) {
  script.parts = {};
  script.partsTold = 0;
  EXPECT_EQ(backup().code, 0);
  EXPECT_TRUE(std::filesystem::exists(directory + "/snapshot"));
}

TEST_F(BackupTest, NeverReplacesABackup) {
  std::filesystem::create_directories(directory);
  writeFile(directory + "/snapshot", "precious");
  auto ran = backup();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr(directory + "/snapshot is there already, and is not replaced"));
  EXPECT_EQ(readFile(directory + "/snapshot"), "precious");
}

TEST_F(BackupTest, DoesNotReplaceOneThatWasMadeMeanwhile) {
  script.beforePart = [this](std::size_t i) {
    if (i == 2) writeFile(directory + "/snapshot", "precious");
  };
  auto ran = backup();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("snapshot was made by somebody else meanwhile"));
  EXPECT_EQ(readFile(directory + "/snapshot"), "precious");
  EXPECT_EQ(files().size(), 1u);
}

TEST_F(BackupTest, LeavesNothingWhenTheConnectionIsLost) {
  script.lostAt = 2;
  auto ran = backup();
  EXPECT_EQ(ran.code, 4);
  EXPECT_THAT(ran.err, HasSubstr("no backup was made from n2 at " + script.port));
  expectNothingLeft();
}

TEST_F(BackupTest, LeavesNothingWhenTheNodeFallsSilent) {
  script.silentAt = 2;
  auto ran = backup();
  EXPECT_EQ(ran.code, 4);
  EXPECT_THAT(ran.err, HasSubstr("nothing has come for as long as --timeout"));
  expectNothingLeft();
}

TEST_F(BackupTest, LeavesNothingWhenInterrupted) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  script.silentAt = 2;
  script.beforePart = [&](std::size_t i) {
    if (i == 2) {
      KJ_SYSCALL(write(ends[1], "", 1));
    }
  };
  EXPECT_EQ(backup({}, ends[0]).code, 130);
  expectNothingLeft();
  close(ends[0]);
  close(ends[1]);
}

TEST_F(BackupTest, RefusesAChangedPart) {
  script.changed = 1;
  auto ran = backup();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("part 2 of the snapshot does not have the checksum"));
  expectNothingLeft();
}

TEST_F(BackupTest, RefusesAGap) {
  script.missing = 1;
  auto ran = backup();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("part 2 of the snapshot does not have the checksum"));
  expectNothingLeft();
}

TEST_F(BackupTest, RefusesAnEndThatCameTooEarly) {
  script.missing = 2;
  auto ran = backup();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("the snapshot has 3 parts, of which 2 have come"));
  expectNothingLeft();
}

TEST_F(BackupTest, RefusesAFormatThatItDoesNotKnow) {
  script.formatVersion = 2;
  auto ran = backup();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("a snapshot of format 2, this program knows 1"));
  expectNothingLeft();
}

TEST_F(BackupTest, TellsWhyTheNodeGaveUp) {
  script.failsAt = 1;
  auto ran = backup();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("a block on disk is damaged"));
  expectNothingLeft();
}

TEST_F(BackupTest, IsCompleteThoughTheNodeIsLostAfterwards) {
  script.lostAfterwards = true;
  EXPECT_EQ(backup().code, 0);
  EXPECT_TRUE(std::filesystem::exists(directory + "/snapshot"));
}

TEST_F(BackupTest, NamesTheMembersItCouldBeTakenFrom) {
  auto ran = backup({"--from", "n9"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_THAT(ran.err, HasSubstr("no member named n9 serves in the chain; those that do: n1, n2"));
  auto gone = backup({"--from", "n1"});
  EXPECT_EQ(gone.code, 4);
  EXPECT_THAT(gone.err, HasSubstr("n1 at 127.0.0.1:1: Connection refused"));
}

TEST_F(BackupTest, SaysWhyTheDirectoryCannotBeUsed) {
  writeFile(home.path() + "/file", "");
  directory = home.path() + "/file/below";
  auto ran = backup();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("cannot make directory " + directory));
}

}  // namespace
}  // namespace gavel::client::testing
