#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <gmock/gmock.h>
#include <rocksdb/db.h>

#include "store/rocks-database.h"
#include "tests/store/damage-fixture.h"
#include "tests/store/probe.h"

namespace gavel {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// -- what runs in processes of its own; does nothing without GAVEL_PROBE

class RocksProbe: public StoreFixture {
protected:
  ~RocksProbe() noexcept override = default;

  void SetUp() override {
    if (probeDirectory().empty()) GTEST_SKIP() << "only for processes that other tests start";
  }
  // It makes none of its own, which would remain when it is killed.
  std::string path() override { return probeDirectory(); }

  static void say(const std::string& line) { std::cout << line << std::endl; }
};

// Opens a directory that was damaged, and reads everything.
TEST_F(RocksProbe, ReadsEverything) {
  kj::Own<RocksStore> store;
  auto refused = errorOf([&]() { store = open(); });
  if (!refused.empty()) return say("REFUSED " + refused);
  auto damage = store->recovered().damage;
  if (!damage.empty()) say("DAMAGE " + damage);
  auto epoch = store->recovered().configuration.epoch;
  EXPECT_TRUE(epoch == 1 || epoch == 2) << "no configuration that there was: " << epoch;
  EXPECT_EQ(store->recovered().configuration, configurationOf(epoch));

  auto image = wait(store->load());
  Auctioneer all, then;
  while (all.end.index < image.end().index && all.log.size() < PROBE_BATCHES) {
    all.next(PROBE_BATCH_SIZE);
  }
  while (then.end.index < image.checkpoint.index && then.log.size() < PROBE_BATCHES) {
    then.next(PROBE_BATCH_SIZE);
  }
  ASSERT_EQ(image.end(), all.end);
  ASSERT_EQ(image.checkpoint, then.end);
  expectAll(*store, all);
  expectCheckpoint(*store, then.reference);
  for (auto after = store->logStart().index; after < all.end.index;) {
    auto batches = wait(store->readLog(after, 1 << 20));
    ASSERT_FALSE(batches.empty());
    for (auto& batch: batches) {
      auto& expected = all.log[batch->previous().index / PROBE_BATCH_SIZE];
      ASSERT_EQ(batch->end(), expected->end());
      after = batch->lastIndex();
    }
  }
  auto reader = store->openSnapshot();
  EXPECT_FALSE(readSnapshot(*reader).empty());
  if (all.log.size() == PROBE_BATCHES && epoch == 2) say("COMPLETE");
}

// Appends until it is killed, and cuts the log now and then.
TEST_F(RocksProbe, AppendsForEver) {
  auto store = open();
  say("OPENED " + store->recovered().damage);
  auto image = wait(store->load());
  Position end = image.end();
  for (unsigned round = 0;; ++round) {
    auto before = end;
    auto batch =
        Batch::make(end.epoch + 1, end,
                    std::vector<auction::Entry>{{end.index + 1, 1, {}, auction::OpenSession{}}});
    store->append(batch);
    end = batch->end();
    waitDurable(*store, end.index);
    if (round % 5 == 4) {
      wait(store->cut(before));
      end = before;
    }
    say("durable " + std::to_string(end.index));
  }
}

TEST_F(RocksProbe, AppendsWithoutRoom) {
  auto store = open();
  signal(SIGXFSZ, SIG_IGN);
  rlimit limit{1 << 20, 1 << 20};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  Auctioneer auctioneer;
  for (int i = 0; i < 100; ++i) append(*store, auctioneer, 10, 100);
  say("SURVIVED");
}

// -- the tests

class RocksDamageTest: public DamageFixture {
protected:
  ~RocksDamageTest() noexcept override = default;

  // Fills tables, and leaves a log of RocksDB's that is not in tables yet.
  void fill() {
    Auctioneer auctioneer;
    {
      auto store = open();
      wait(store->saveConfiguration(configurationOf(1)));
      append(*store, auctioneer, PROBE_BATCHES / 4, PROBE_BATCH_SIZE);
      checkpoint(*store, auctioneer);
      append(*store, auctioneer, PROBE_BATCHES / 4, PROBE_BATCH_SIZE);
    }
    auto store = open();  // This writes all that into a table.
    append(*store, auctioneer, PROBE_BATCHES / 4, PROBE_BATCH_SIZE);
    wait(store->saveConfiguration(configurationOf(2)));
    checkpoint(*store, auctioneer);
    append(*store, auctioneer, PROBE_BATCHES / 4, PROBE_BATCH_SIZE);
  }
};

using Damage = std::function<std::string(std::string)>;

Damage flipAt(double part) {
  return [part](std::string contents) {
    if (contents.empty()) return contents;
    auto at = static_cast<std::size_t>(part * static_cast<double>(usedOf(contents) - 1));
    contents[at] = static_cast<char>(contents[at] ^ 0x10);
    return contents;
  };
}

Damage truncateTo(double part) {
  return [part](std::string contents) {
    contents.resize(static_cast<std::size_t>(part * static_cast<double>(usedOf(contents))));
    return contents;
  };
}

TEST_F(RocksDamageTest, IsFoundInEachKindOfFile) {
  fill();
  const std::vector<std::pair<std::string, Damage>> damages = {
      {"bit at the start", flipAt(0)},
      {"bit at 10 %", flipAt(0.1)},
      {"bit at 30 %", flipAt(0.3)},
      {"bit in the middle", flipAt(0.5)},
      {"bit at 70 %", flipAt(0.7)},
      {"bit at 90 %", flipAt(0.9)},
      {"bit at the end", flipAt(1)},
      {"half of it gone", truncateTo(0.5)},
      {"last bytes gone", truncateTo(0.995)},
      {"emptied", truncateTo(0)},
      {"zeros after the middle",
       [](std::string contents) {
         auto half = halfOf(contents);
         contents.replace(half, contents.size() - half, contents.size() - half, '\0');
         return contents;
       }},
  };
  std::vector<fs::path> files = {"durable", "log/segment-1"};
  for (auto& entry: fs::directory_iterator(path() + "/db")) {
    auto name = entry.path().filename().string();
    if (name != "LOCK" && !name.starts_with("LOG")) files.push_back(fs::path("db") / name);
  }
  std::sort(files.begin(), files.end());
  std::map<std::string, unsigned> counts;
  for (auto& file: files) {
    auto contents = contentsOf(fs::path(path()) / file);
    for (std::size_t i = 0; i <= damages.size(); ++i) {
      gavel::testing::TemporaryDirectory copied;
      auto copy = copied.path() + "/data";
      fs::copy(path(), copy, fs::copy_options::recursive);
      std::string what = "removed";
      if (i < damages.size()) {
        what = damages[i].first;
        setContents(fs::path(copy) / file, damages[i].second(contents));
      } else {
        fs::remove(fs::path(copy) / file);
      }
      auto result = probe("RocksProbe.ReadsEverything", copy);
      auto says = [&](const char* text) { return result.output.find(text) != std::string::npos; };
      bool ended = WIFEXITED(result.status) && WEXITSTATUS(result.status) != 0;
      std::string outcome = "LOST, AND NOBODY KNOWS";
      if (ended && says("the data directory is damaged: leaving the chain")) {
        outcome = "process ended";
      } else if (result.status != 0 || says("Failure")) {
        outcome = "WRONG DATA, OR A CRASH";
      } else if (says("REFUSED")) {
        outcome = "refused at start";
      } else if (says("DAMAGE")) {
        outcome = says("COMPLETE") ? "said, nothing lost" : "said, rest sound";
      } else if (says("COMPLETE")) {
        outcome = "nothing lost";
      }
      ++counts[outcome];
      std::printf("%-24s %-24s %s\n", file.c_str(), what.c_str(), outcome.c_str());
      EXPECT_TRUE(outcome[0] >= 'a') << file << ", " << what << ": " << outcome << "\n"
                                     << result.output;
      if (outcome == "process ended" || outcome == "refused at start") {
        EXPECT_THAT(result.output, HasSubstr(copy));
        EXPECT_TRUE(fs::exists(copy + "/damaged")) << file << ", " << what;
        auto again = probe("RocksProbe.ReadsEverything", copy);
        EXPECT_THAT(again.output, AllOf(HasSubstr("REFUSED"), HasSubstr("--replace-damaged")));
      }
    }
  }
  EXPECT_GT(counts["process ended"], 2u);
  EXPECT_GT(counts["refused at start"], 10u);
  EXPECT_GT(counts["said, rest sound"], 5u);
}

// RocksDB takes these values for sound, so only our own checksums find the damage.
TEST_F(RocksDamageTest, IsFoundInValues) {
  Auctioneer auctioneer;
  {
    auto store = open();
    wait(store->saveConfiguration(configurationOf(1)));
    append(*store, auctioneer, 20, PROBE_BATCH_SIZE);
    checkpoint(*store, auctioneer);
    append(*store, auctioneer, 20, PROBE_BATCH_SIZE);
  }
  std::map<std::string, std::string> expected = {
      {meta::CONFIGURATION, "configuration has a wrong checksum"},
      {meta::STORE_ID, "store-id has a wrong checksum"},
      {meta::GENERATION, "generation has a wrong checksum"},
      {meta::CHECKPOINT, "checkpoint has a wrong checksum"},
      {FORMAT_KEY, "format"},
  };
  for (auto& [key, text]: expected) {
    gavel::testing::TemporaryDirectory copied;
    auto copy = copied.path() + "/data";
    fs::copy(path(), copy, fs::copy_options::recursive);
    {
      rocksdb::DB* opened = nullptr;
      ASSERT_TRUE(rocksdb::DB::Open({}, copy + "/db", &opened).ok());
      std::unique_ptr<rocksdb::DB> db(opened);
      std::string value;
      ASSERT_TRUE(db->Get({}, key, &value).ok());
      value[value.size() / 2] = static_cast<char>(value[value.size() / 2] ^ 0x40);
      ASSERT_TRUE(db->Put({}, key, value).ok());
    }
    auto result = probe("RocksProbe.ReadsEverything", copy);
    EXPECT_THAT(result.output, AllOf(HasSubstr(text), HasSubstr(copy), Not(HasSubstr("Failure"))));
    EXPECT_TRUE(fs::exists(copy + "/damaged"));
  }
}

TEST_F(RocksDamageTest, BeginsAnewAtOnceIfToldSo) {
  fill();
  auto table = theFile(path() + "/db", "MANIFEST", "");
  setContents(table, flipAt(0.5)(contentsOf(table)));
  RocksStoreOptions options;
  options.replaceDamaged = true;
  auto store = open(options);
  EXPECT_TRUE(store->recovered().empty);
  EXPECT_EQ(store->recovered().damage, "");
  EXPECT_TRUE(fs::exists(path() + "/set-aside-1/damaged"));
}

TEST_F(RocksDamageTest, IsNotWhatAKilledProcessLeaves) {
  std::uint64_t told = 0;
  for (unsigned cycle = 1; cycle <= 12; ++cycle) {
    auto result = probe("RocksProbe.AppendsForEver", path(), 7 * cycle);
    ASSERT_TRUE(WIFSIGNALED(result.status)) << result.output;
    EXPECT_THAT(result.output, HasSubstr("OPENED \n"));
    auto last = result.output.rfind("durable ", result.output.rfind('\n'));
    ASSERT_NE(last, std::string::npos);
    auto now = std::stoull(result.output.substr(last + 8));
    EXPECT_GT(now, told);
    told = now;
    auto store = open();
    EXPECT_EQ(store->recovered().damage, "");
    auto end = wait(store->load()).end().index;
    // One more may have been written, or cut, without being reported.
    EXPECT_GE(end + 1, told);
    EXPECT_LE(end, told + 1);
    told = end > 0 ? end - 1 : 0;
  }
}

TEST_F(RocksDamageTest, AWriteThatFailsEndsTheProcess) {
  auto result = probe("RocksProbe.AppendsWithoutRoom", path());
  ASSERT_TRUE(WIFEXITED(result.status));
  EXPECT_EQ(WEXITSTATUS(result.status), EXIT_FAILURE);
  EXPECT_THAT(result.output,
              AllOf(HasSubstr("the data directory failed: leaving the chain"), HasSubstr(path()),
                    HasSubstr("File too large"), Not(HasSubstr("SURVIVED"))));
  EXPECT_FALSE(fs::exists(path() + "/damaged")) << "with room it can go on";
  EXPECT_THAT(contentsOf(path() + "/failed"), HasSubstr("write to its log")) << "it is noted";
  auto store = open();
  EXPECT_EQ(store->recovered().damage, "");
  EXPECT_GT(wait(store->load()).end().index, 0u);
  EXPECT_FALSE(fs::exists(path() + "/failed")) << "that has been made up for";
}

}  // namespace
}  // namespace gavel
