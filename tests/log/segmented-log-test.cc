#include "log/segmented-log.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include <gmock/gmock.h>
#include <kj/debug.h>

#include "tests/support/fakes.h"

namespace gavel {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::uint64_t STORE = 7;
constexpr std::uint64_t SEGMENT = 16 * 1024;
constexpr std::size_t BLOCK = 512;

using Files = std::map<std::string, std::string>;

Files filesIn(const std::string& directory) {
  Files files;
  for (auto& entry: fs::directory_iterator(directory)) {
    std::ifstream in(entry.path(), std::ios::binary);
    files[entry.path().filename().string()] = {std::istreambuf_iterator<char>(in),
                                               std::istreambuf_iterator<char>()};
  }
  return files;
}

void putFiles(const std::string& directory, const Files& files) {
  fs::remove_all(directory);
  fs::create_directory(directory);
  for (auto& [name, contents]: files) {
    std::ofstream(directory + "/" + name, std::ios::binary) << contents;
  }
}

BatchPtr batchAfter(const Position& end, std::uint64_t epoch, std::size_t entries) {
  std::vector<auction::Entry> made;
  for (std::size_t i = 1; i <= entries; ++i) {
    made.push_back(
        {end.index + i, static_cast<auction::Stamp>(end.index + i), {}, auction::OpenSession{}});
  }
  return Batch::make(epoch, end, made);
}

// The faults of a store while it opens.
class ThrownFaults final: public LogFaults {
public:
  void fail(const kj::Exception& exception, kj::StringPtr doing) const override {
    KJ_FAIL_REQUIRE("failed", doing, exception);
  }
  void failDamaged(const std::string& what) const override { KJ_FAIL_REQUIRE(what.c_str()); }
};

class SegmentedLogTest: public ::testing::Test {
protected:
  ~SegmentedLogTest() noexcept override = default;

  gavel::testing::TemporaryDirectory data;
  ThrownFaults faults;
  std::string directory = data.path() + "/log";
  std::unique_ptr<SegmentedLog> log;
  std::uint64_t generation = 0;
  // What the log should hold.
  Position start, end;
  std::vector<BatchPtr> batches;

  void open() {
    log = nullptr;
    log = std::make_unique<SegmentedLog>(faults, machineFiles(), directory, STORE, SEGMENT);
    log->begin(++generation);
  }
  std::string openError() {
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { open(); })) {
      return exception->getDescription().cStr();
    }
    return "";
  }
  void append(std::size_t count, std::size_t entries = 3, std::uint64_t epoch = 1) {
    std::vector<BatchPtr> made;
    for (std::size_t i = 0; i < count; ++i) {
      made.push_back(batchAfter(end, epoch, entries));
      end = made.back()->end();
    }
    log->append(made, true);
    batches.insert(batches.end(), made.begin(), made.end());
  }
  void cut(const Position& to) {
    log->cut(to);
    while (!batches.empty() && batches.back()->end() != to) batches.pop_back();
    end = to;
    if (batches.empty() && start != to) start = to;
  }
  // Expects that the log holds what it should, and perhaps some entries from before its start.
  void expectAll() {
    EXPECT_EQ(log->end(), end);
    EXPECT_LE(log->start().index, start.index);
    auto cursor = log->seek(start.index);
    auto expected = batches.begin();
    while (expected != batches.end() && (*expected)->end().index <= start.index) ++expected;
    auto at = start;
    while (auto batch = cursor.next()) {
      if (batch->lastIndex() <= start.index) continue;
      ASSERT_NE(expected, batches.end()) << "more than there should be: " << batch->end().index;
      EXPECT_EQ(batch->previous(), at);
      ASSERT_EQ(batch->end(), (*expected)->end());
      EXPECT_EQ(cursor.position(), batch->end());
      at = (*expected++)->end();
    }
    EXPECT_EQ(at, end);
  }
};

TEST_F(SegmentedLogTest, GoesOnFromSegmentToSegmentAndIsFoundAgain) {
  open();
  EXPECT_EQ(log->end(), Position());
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 40; ++i) append(1 + i % 3);
    expectAll();
    open();
    expectAll();
  }
  EXPECT_GE(filesIn(directory).size(), 10u);
  for (auto& batch: batches) {
    EXPECT_EQ(log->positionAt(batch->lastIndex()), batch->end());
    EXPECT_EQ(log->positionAt(batch->lastIndex() - 1), std::nullopt);
  }
  EXPECT_EQ(log->positionAt(0), Position());
  EXPECT_EQ(log->positionAt(end.index + 1), std::nullopt);
}

TEST_F(SegmentedLogTest, UsesFilesAgain) {
  open();
  std::size_t most = 0;
  for (int round = 0; round < 300; ++round) {
    append(10);
    if (batches.size() > 60) {
      start = batches[batches.size() - 60]->end();
      log->truncate(start);
    }
    most = std::max(most, filesIn(directory).size());
  }
  EXPECT_LT(most, 8u);
  EXPECT_LE(log->start().index, start.index);
  EXPECT_GT(log->start().index, start.index - 200) << "up to a segment more";
  expectAll();
  open();
  expectAll();
}

TEST_F(SegmentedLogTest, ABatchMayBeLargerThanASegment) {
  open();
  append(3);
  append(1, 2000);
  EXPECT_GT(batches.back()->bytes().size(), 2 * SEGMENT);
  append(3);
  expectAll();
  open();
  expectAll();
}

TEST_F(SegmentedLogTest, WhatIsCutOffDoesNotComeBack) {
  open();
  append(200);
  for (std::size_t keep: {150, 149, 20, 1, 0}) {
    cut(keep == 0 ? Position() : batches[keep - 1]->end());
    expectAll();
    open();
    expectAll();
    append(100, 3, 2 + keep);
    open();
    expectAll();
    cut(batches[keep]->end());
  }
  EXPECT_EQ(log->cuts(), 11u) << "with the first, which began the log";
  EXPECT_EQ(log->lastCut(), end);
}

// Three batches were being written when power was lost, and the first did not reach the disk.  Once
// it has been written again, the others must not be there at the next start.
TEST_F(SegmentedLogTest, WhatFollowsAHoleDoesNotComeBack) {
  open();
  append(1);
  append(3);
  log = nullptr;
  auto files = filesIn(directory);
  auto at = Segment::FIRST_FRAME + Segment::frameSize(*batches[0]) + 30;
  files["segment-1"][at] = static_cast<char>(files["segment-1"][at] ^ 1);
  putFiles(directory, files);
  open();
  auto again = batches[1];
  batches.resize(1);
  end = batches.back()->end();
  expectAll();
  log->append({again}, true);
  batches.push_back(again);
  end = again->end();
  open();
  expectAll();
}

TEST_F(SegmentedLogTest, BeginsAnewAtAPositionThatIsNotInIt) {
  open();
  append(100);
  Position elsewhere{5, 5000, 99};
  log->cut(elsewhere);
  batches.clear();
  start = end = elsewhere;
  expectAll();
  EXPECT_EQ(log->start(), elsewhere);
  append(100, 3, 5);
  open();
  EXPECT_EQ(log->start(), elsewhere);
  expectAll();
}

TEST_F(SegmentedLogTest, ACursorReadsOnWhereTheLogHasGone) {
  open();
  append(100);
  auto before = batches;
  auto cursor = log->seek(0);
  cursor.next();
  cut(batches[5]->end());
  for (int round = 0; round < 50; ++round) {
    append(20, 3, 2);
    start = end;
    log->truncate(end);
  }
  for (std::size_t i = 1; i < before.size(); ++i) {
    auto batch = cursor.next();
    ASSERT_NE(batch, nullptr);
    EXPECT_EQ(batch->end(), before[i]->end());
  }
  EXPECT_EQ(cursor.next(), nullptr);
}

TEST_F(SegmentedLogTest, RefusesWhatBelongsToAnotherStore) {
  open();
  append(3);
  log = std::make_unique<SegmentedLog>(faults, machineFiles(), data.path() + "/other", STORE + 1,
                                       SEGMENT);
  log->begin(1);
  log = nullptr;
  fs::copy(data.path() + "/other/segment-1", directory + "/segment-2");
  EXPECT_THAT(openError(), AllOf(HasSubstr("segment-2"), HasSubstr("another store")));
}

// Whichever bit is flipped, the log is a part of what it was.
TEST_F(SegmentedLogTest, ABitThatIsFlippedMakesItShorterNeverOther) {
  open();
  append(120);
  cut(batches[99]->end());
  append(60, 3, 2);
  log = nullptr;
  auto sound = filesIn(directory);
  std::mt19937 draw(5);
  std::map<Position, bool, bool (*)(const Position&, const Position&)> known(
      [](const Position& a, const Position& b) { return a.checksum < b.checksum; });
  for (auto& batch: batches) known[batch->end()] = true;
  unsigned shorter = 0;
  for (int round = 0; round < 400; ++round) {
    auto files = sound;
    auto file = std::next(files.begin(), draw() % files.size());
    auto used = file->second.find_last_not_of('\0') + 1;
    auto at = round % 4 == 0 ? draw() % 72 : draw() % used;
    file->second[at] = static_cast<char>(file->second[at] ^ (1 << draw() % 8));
    putFiles(directory, files);
    auto error = openError();
    ASSERT_EQ(error, "");
    auto cursor = log->seek(0);
    std::size_t found = 0;
    bool other = false;
    while (auto batch = cursor.next()) {
      ++found;
      other = other || !known.contains(batch->end());
    }
    // Without the segment that cut the log, that is as it was before.  The number of cuts shows it.
    if (other) {
      EXPECT_LT(log->cuts(), 2u) << file->first << " at byte " << at;
    }
    if (found < batches.size()) ++shorter;
  }
  EXPECT_GT(shorter, 250u);
}

// Power is lost at any time.  Any blocks written since the last sync may be on the disk.
class PowerLoss: public SegmentedLogTest, public ::testing::WithParamInterface<unsigned> {
protected:
  ~PowerLoss() noexcept override = default;

  std::mt19937 draw{GetParam()};
  std::uint64_t epoch = 1;

  // The files are synced one after the other, in the order of their numbers.
  Files crashed(const Files& before, const Files& after) {
    std::vector<std::pair<std::uint64_t, std::string>> changed;
    for (auto& [name, contents]: after) {
      auto old = before.find(name);
      if (old != before.end() && old->second == contents) continue;
      KJ_IF_MAYBE (header, Segment(directory + "/" + name).readHeader()) {
        changed.emplace_back(header->number, name);
      }
    }
    std::sort(changed.begin(), changed.end());
    auto files = before;
    if (changed.empty()) return files;
    auto last = draw() % changed.size();
    for (std::size_t i = 0; i <= last; ++i) {
      auto& name = changed[i].second;
      auto& contents = after.at(name);
      if (i < last) {
        files[name] = contents;
        continue;
      }
      auto& mixed = files[name];
      mixed.resize(contents.size());
      for (std::size_t at = 0; at < contents.size(); at += BLOCK) {
        if (draw() % 3 != 0) mixed.replace(at, BLOCK, contents, at, BLOCK);
      }
    }
    return files;
  }
  // The recovered log must be one of the states that the operation goes through.
  void recoverFrom(const Files& files, const Position& endBefore,
                   const std::vector<BatchPtr>& before) {
    log = nullptr;
    putFiles(directory, files);
    open();
    auto found = log->end();
    auto all = batches;
    auto holds = [&](const std::vector<BatchPtr>& some) {
      return found == start || std::any_of(some.begin(), some.end(),
                                           [&](auto& batch) { return batch->end() == found; });
    };
    EXPECT_TRUE(holds(all) || holds(before));
    if (!holds(all)) batches = before;
    EXPECT_GE(found.index, std::min(endBefore.index, end.index)) << "something durable is lost";
    while (!batches.empty() && batches.back()->end() != found) batches.pop_back();
    end = found;
    expectAll();
  }
};

TEST_P(PowerLoss, LeavesTheLogUpToABatch) {
  open();
  unsigned crashes = 0;
  for (int step = 0; step < 300; ++step) {
    if (HasFailure()) FAIL() << "at step " << step;
    auto endBefore = end;
    auto batchesBefore = batches;
    auto filesBefore = filesIn(directory);
    auto what = draw() % 10;
    if (what < 7) {
      // Sometimes appends the same again, as after a crash.
      append(1 + draw() % 30, 1 + draw() % 6, epoch);
    } else if (what < 8 && !batches.empty()) {
      auto& to = batches[draw() % batches.size()];
      if (to->lastIndex() >= start.index) cut(to->end());
      if (draw() % 2 == 0) ++epoch;
    } else if (what < 9 && !batches.empty()) {
      start = std::max(start, batches[draw() % batches.size()]->end(),
                       [](auto& a, auto& b) { return a.index < b.index; });
      log->truncate(start);
      batches.erase(batches.begin(), std::find_if(batches.begin(), batches.end(), [&](auto& batch) {
                      return batch->lastIndex() > start.index;
                    }));
    } else {
      open();
    }
    if (what < 8 && draw() % 3 == 0) {
      recoverFrom(crashed(filesBefore, filesIn(directory)), endBefore, batchesBefore);
      ++crashes;
    }
    expectAll();
  }
  EXPECT_GT(crashes, 30u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PowerLoss, ::testing::Range(1u, 9u));

}  // namespace
}  // namespace gavel
