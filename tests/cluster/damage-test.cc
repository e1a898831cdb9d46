#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "tests/cluster/bulk.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/disk.h"
#include "tests/cluster/seeded.h"

// Damages each kind of file of a stopped node, in each way.  The node notices it, at its start or
// when it reads the file.  It never serves it or passes it on, and heals by joining again (R12).
namespace gavel::cluster {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

enum class Hurt { flipMiddle, flipEnd, flipMany, halve, empty, remove };

const char* describe(Hurt hurt) {
  switch (hurt) {
    case Hurt::flipMiddle:
      return "bit flipped in the middle";
    case Hurt::flipEnd:
      return "bit flipped near the end";
    case Hurt::flipMany:
      return "bits flipped all over";
    case Hurt::halve:
      return "cut to half";
    case Hurt::empty:
      return "cut to nothing";
    case Hurt::remove:
      return "removed";
  }
  KJ_UNREACHABLE;
}

// A kind of file, by the begin and end of the name of its newest file.
struct Kind {
  const char* what;
  const char* folder;
  const char* prefix;
  const char* suffix;
};

constexpr Kind SEGMENT{"log", "log", "segment-", ""};
constexpr Kind LOG{"log of the database", "db", "0", ".log"};
constexpr Kind TABLE{"table", "db", "0", ".sst"};
constexpr Kind MANIFEST{"MANIFEST", "db", "MANIFEST-", ""};
constexpr Kind CURRENT{"CURRENT", "db", "CURRENT", ""};
constexpr Kind OPTIONS{"OPTIONS", "db", "OPTIONS-", ""};
constexpr Kind IDENTITY{"IDENTITY", "db", "IDENTITY", ""};
constexpr Kind MARKER{"record of what is durable", "", "durable", ""};

constexpr Hurt ALL[] = {Hurt::flipMiddle, Hurt::flipEnd, Hurt::flipMany,
                        Hurt::halve,      Hurt::empty,   Hurt::remove};

// Flips one bit of a byte.
void flip(const std::string& file, std::uintmax_t offset, unsigned bit = 0) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  auto byte = static_cast<char>(stream.get() ^ (1 << bit));
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.put(byte);
  stream.close();
  KJ_REQUIRE(stream.good(), "cannot damage a file", file.c_str());
}

// The bytes before the zeros of space that is allocated ahead.
std::uintmax_t bytesUsed(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string contents((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  return contents.find_last_not_of('\0') + 1;
}

class Damage: public Seeded {
protected:
  ~Damage() noexcept override = default;

  void SetUp() override {
    Cluster::Options options;
    options.masterFlags = {"--flap-delay", "0s"};
    cluster = std::make_unique<Cluster>(io, options);
    load = std::make_unique<gavel::testing::Workload>(
        io, *cluster, gavel::testing::Workload::Options{6, 3, "", 400});
    load->runUntilSteady(100 * kj::MILLISECONDS);
    // From here on each has a table.
    for (std::size_t i = 0; i < cluster->size(); ++i) {
      cluster->node(i).kill();
      cluster->untilWithout(i);
      cluster->restartNode(i);
      cluster->untilWhole();
    }
  }

  void TearDown() override {
    load->runUntilSteady(100 * kj::MILLISECONDS);
    load->stop();
    load->verify();
    cluster->expectSameState();
    EXPECT_EQ(load->unknown(), 0u);
  }

  // Stops a node, damages the newest file of that kind, and starts the node again.
  void hurt(const Kind& kind, Hurt hurt) {
    if (HasFailure()) return;
    auto victim = next++ % cluster->size();
    load->runFor(50 * kj::MILLISECONDS);
    cluster->node(victim).kill();
    cluster->untilWithout(victim);
    auto file = newest(victim, kind);
    SCOPED_TRACE(file + ": " + describe(hurt));
    apply(file, hurt);
    auto what = bringBack(victim, file);
    printf("DAMAGE %-25s | %-25s | %s\n", kind.what, describe(hurt), what.c_str());
  }

private:
  std::unique_ptr<Cluster> cluster;
  std::unique_ptr<gavel::testing::Workload> load;
  std::size_t next = 0;

  std::string newest(std::size_t node, const Kind& kind) {
    std::string found;
    for (auto& entry: fs::directory_iterator(cluster->dataOf(node) + "/" + kind.folder)) {
      auto name = entry.path().filename().string();
      bool fits = name.rfind(kind.prefix, 0) == 0 && name.size() >= strlen(kind.suffix) &&
                  name.substr(name.size() - strlen(kind.suffix)) == kind.suffix;
      // An empty log does not count.
      if (fits && fs::file_size(entry.path()) > 0) found = std::max(found, entry.path().string());
    }
    KJ_REQUIRE(!found.empty(), "there is no such file to damage", kind.what);
    return found;
  }

  void apply(const std::string& file, Hurt hurt) {
    auto size = bytesUsed(file);
    switch (hurt) {
      case Hurt::flipMiddle:
        return flip(file, size / 2, static_cast<unsigned>(draw(8)));
      case Hurt::flipEnd:
        return flip(file, size - std::min<std::uintmax_t>(size, 8), static_cast<unsigned>(draw(8)));
      case Hurt::flipMany:
        for (std::uintmax_t offset = 0; offset < size; offset += 512) flip(file, offset);
        return;
      case Hurt::halve:
        return fs::resize_file(file, size / 2);
      case Hurt::empty:
        return fs::resize_file(file, 0);
      case Hurt::remove:
        fs::remove(file);
        return;
    }
  }

  // Returns the outcome.
  std::string bringBack(std::size_t victim, const std::string& file) {
    auto refused = cluster->tryRestartNode(victim);
    if (refused.has_value()) {
      EXPECT_EQ(refused->status, 1);
      EXPECT_THAT(refused->errors, HasSubstr(cluster->dataOf(victim)));
      // The name is compared without its ending, since RocksDB looks for a missing table under an
      // older one, too.  A list of files that lost its end is the list of an older, perhaps empty,
      // database.  RocksDB names the list of files when the properties of a table make no sense.
      EXPECT_THAT(refused->errors, AnyOf(HasSubstr(fs::path(file).stem().string()),
                                         HasSubstr("it does not say which format it has"),
                                         HasSubstr("Corruption: properties unsorted in file")));
      EXPECT_THAT(refused->errors, HasSubstr("--replace-damaged"));
      beginAnew(victim);
      return "refused to start, naming it; joined anew with --replace-damaged";
    }
    auto damaged = cluster->node(victim).log().find("no source for others") != std::string::npos;
    cluster->until("the node to join, or to end",
                   [&]() { return !cluster->node(victim).running() || cluster->whole(); });
    std::string what = damaged ? "started, known to be no source; healed by joining"
                               : "started and joined: not needed";
    // It is the tail now, and has to read all that it has stored.
    if (cluster->node(victim).running()) load->readAll();
    if (cluster->node(victim).running()) return what;
    EXPECT_THAT(cluster->node(victim).log(), HasSubstr("--replace-damaged"));
    beginAnew(victim);
    return "ended when it read that; joined anew with --replace-damaged";
  }

  void beginAnew(std::size_t victim) {
    cluster->restartNode(victim, {"--replace-damaged"});
    cluster->untilWhole();
    load->readAll();
    EXPECT_TRUE(cluster->node(victim).running()) << cluster->logs();
  }
};

TEST_F(Damage, OfTheLog) {
  for (auto each: ALL) hurt(SEGMENT, each);
}

TEST_F(Damage, OfTheDatabasesLog) {
  for (auto each: ALL) hurt(LOG, each);
}

TEST_F(Damage, OfATable) {
  for (auto each: ALL) hurt(TABLE, each);
}

TEST_F(Damage, OfTheDatabasesListOfFiles) {
  for (auto each: ALL) hurt(MANIFEST, each);
  for (auto each: {Hurt::flipMiddle, Hurt::halve, Hurt::empty, Hurt::remove}) hurt(CURRENT, each);
}

TEST_F(Damage, OfTheDatabasesOtherFiles) {
  for (auto each: {Hurt::flipMiddle, Hurt::empty, Hurt::remove}) hurt(OPTIONS, each);
  for (auto each: {Hurt::flipMiddle, Hurt::empty, Hurt::remove}) hurt(IDENTITY, each);
}

TEST_F(Damage, OfTheRecordOfWhatIsDurable) {
  for (auto each: ALL) hurt(MARKER, each);
}

// The data is in tables so large that a start reads little of them.
class LargeTable: public Seeded {
protected:
  ~LargeTable() noexcept override = default;

  static constexpr std::size_t FIRST = 0, SECOND = 1, TAIL = 2;

  LargeTable(): cluster(io, options()), bulk(io, cluster, 1'000) {
    bulk.bid(50).wait(io.waitScope);                 // Makes histories most of it.
    for (auto i: {FIRST, SECOND, TAIL}) restart(i);  // Everything is in tables now.
    EXPECT_EQ(cluster.chain().serving.back(), TAIL);
  }

  // Damages the tail's largest table, in places that a start does not read.  The node is the tail
  // again then.
  void damageTheTail() {
    cluster.node(TAIL).kill();
    cluster.untilWithout(TAIL);
    fs::path largest;
    for (auto& entry: fs::directory_iterator(cluster.dataOf(TAIL) + "/db")) {
      if (entry.path().extension() != ".sst") continue;
      if (largest.empty() || fs::file_size(entry) > fs::file_size(largest)) largest = entry.path();
    }
    auto size = fs::file_size(largest);
    ASSERT_GT(size, 1u << 20) << "too small to prove anything";
    // Histories take the middle: after the log and the auctions, before the sessions.
    for (auto offset = size * 2 / 5; offset < size * 3 / 5; offset += 4096) flip(largest, offset);
    cluster.restartNode(TAIL);
    cluster.untilWhole();
    ASSERT_TRUE(cluster.node(TAIL).running()) << "it was not to be noticed yet";
  }

  // It ended by itself when it noticed, and has to heal.
  void heal(const char* how) {
    EXPECT_NE(cluster.node(TAIL).wait(), 0);
    EXPECT_THAT(cluster.node(TAIL).log(),
                AllOf(HasSubstr("damaged"), HasSubstr(".sst"), HasSubstr("--replace-damaged")));
    auto refused = cluster.tryRestartNode(TAIL);
    ASSERT_TRUE(refused.has_value()) << "the directory has forgotten that it is damaged";
    EXPECT_THAT(refused->errors, HasSubstr("--replace-damaged"));
    cluster.restartNode(TAIL, {"--replace-damaged"});
    cluster.untilWhole();
    bulk.verify();
    cluster.expectSameState();
    printf("DAMAGE %-25s | %-25s | %s\n", "large table", "bits flipped in its middle", how);
  }

  static Cluster::Options options() {
    Cluster::Options options;
    options.masterFlags = {"--flap-delay", "0s"};
    // Little log is in them, and an empty node needs a snapshot.
    options.nodeFlags = {"--retain-entries", "100", "--checkpoint-bytes", "1MiB"};
    return options;
  }

  void restart(std::size_t i) {
    cluster.node(i).kill();
    cluster.untilWithout(i);
    cluster.restartNode(i);
    cluster.untilWhole();
  }

  Cluster cluster;
  Bulk bulk;
};

TEST_F(LargeTable, IsNotServed) {
  damageTheTail();
  bulk.verify();  // This asks the tail first.
  heal("ended when it was asked for that, which others answered; joined anew");
}

TEST_F(LargeTable, IsNotPassedOn) {
  damageTheTail();
  cluster.node(SECOND).kill();
  cluster.untilWithout(SECOND);
  wipe(cluster.dataOf(SECOND));
  cluster.restartNode(SECOND);
  cluster.until("the node with the damage to end", [&]() { return !cluster.node(TAIL).running(); });
  heal("ended when it was to give a snapshot; joined anew");
}

}  // namespace
}  // namespace gavel::cluster
