#include "tests/cluster/killed-store.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <map>
#include <random>
#include <sstream>
#include <unistd.h>

#include <kj/debug.h>

#include "base/passing-files.h"
#include "base/random.h"
#include "store/rocks-store.h"
#include "tests/cluster/disk.h"
#include "tests/cluster/process.h"
#include "tests/support/fakes.h"

namespace gavel::cluster {
namespace {

constexpr std::size_t DISK_BYTES = 256 << 20;
constexpr std::uint64_t ENTRIES = 5;      // In each batch.
constexpr std::uint64_t BATCHES = 12;     // In each life that is not killed before.
constexpr std::uint64_t OPERATIONS = 60;  // The first life is killed at one of so many operations.
constexpr std::uint64_t SOON = 25;        // The second life is killed at one of so many operations.
constexpr int KILLED = 128 + SIGKILL;

class Death {
public:
  explicit Death(std::uint64_t at): at(at) {}
  void operation() {
    if (++count == at) raise(SIGKILL);
  }

private:
  const std::uint64_t at;
  std::atomic<std::uint64_t> count{0};
};

class MortalFile final: public PassingFile {
public:
  MortalFile(std::unique_ptr<File> inner, Death& death)
      : PassingFile(std::move(inner)), death(death) {}

  void write(std::uint64_t offset, kj::ArrayPtr<const kj::byte> bytes) override {
    death.operation();
    PassingFile::write(offset, bytes);
  }
  void allocate(std::uint64_t size) override {
    death.operation();
    PassingFile::allocate(size);
  }
  void syncData() override {
    death.operation();
    PassingFile::syncData();
  }
  void sync() override {
    death.operation();
    PassingFile::sync();
  }

private:
  Death& death;
};

class MortalFiles final: public PassingFiles {
public:
  explicit MortalFiles(Death& death): PassingFiles(machineFiles()), death(death) {}

  std::unique_ptr<File> open(const std::string& path, Missing missing) override {
    return std::make_unique<MortalFile>(PassingFiles::open(path, missing), death);
  }
  void rename(const std::string& from, const std::string& to) override {
    death.operation();
    PassingFiles::rename(from, to);
  }
  void syncDirectory(const std::string& path) override {
    death.operation();
    PassingFiles::syncDirectory(path);
  }

private:
  Death& death;
};

// Its text makes a frame larger than a page.
BatchPtr nextBatch(const Position& end) {
  const std::string text(1500, 'x');
  auction::Terms terms;
  terms.item = text;
  terms.duration = 1'000'000'000'000;
  terms.increment.value = 1;
  std::vector<auction::Entry> entries;
  for (auto index = end.index + 1; index <= end.index + ENTRIES; ++index) {
    auction::CreateAuction command{"a lamp", {"owner", {}}, terms};
    entries.push_back({index, static_cast<auction::Stamp>(1000 + index), {}, command});
  }
  return Batch::make(1, end, entries);
}

// Makes one write, which is complete before a kill.
void tell(const char* what, const Position& position) {
  char line[80];
  auto size = snprintf(line, sizeof(line), "%s %llu %llu\n", what,
                       static_cast<unsigned long long>(position.index),
                       static_cast<unsigned long long>(position.checksum));
  KJ_ASSERT(write(STDOUT_FILENO, line, static_cast<std::size_t>(size)) == size);
}

}  // namespace

int liveAsStore(const StoreLife& life) {
  auto io = kj::setupAsyncIo();
  Death death(life.killedAt);
  MortalFiles files(death);
  RocksStoreOptions options;
  options.files = &files;
  options.segmentBytes = 64 * 1024;  // Small, so that some lives begin another segment.
  SystemRandom random;
  RocksStore store(life.directory.c_str(), options, random);
  if (!store.recovered().damage.empty()) {
    printf("damaged %s\n", store.recovered().damage.c_str());
    return 1;
  }
  auto end = store.load().wait(io.waitScope).end();
  tell("durable", end);
  std::map<std::uint64_t, Position> given;
  for (std::uint64_t i = 0; i < life.batches; ++i) {
    auto batch = nextBatch(end);
    auto before = end.index;
    end = batch->end();
    store.append(kj::mv(batch));
    // One after the other, so that many kills are between two syncs.
    auto durable = store.durableAbove(before).wait(io.waitScope);
    KJ_ASSERT(durable == end.index, durable, end.index);
    tell("durable", end);
  }
  // Not in order, so that nothing more is synced.
  raise(SIGKILL);
  return 1;
}

namespace {

class Rounds {
public:
  Rounds(kj::AsyncIoContext& io, const PowerCuts& cuts)
      : io(io),
        cuts(cuts),
        engine(cuts.seed),
        disk(io, directory.path() + "/image", directory.path() + "/disk", DISK_BYTES) {}

  PowerCutsSummary run() {
    for (std::uint64_t round = 0; round < cuts.rounds && summary.failure.empty(); ++round) {
      live(BATCHES, 1 + draw(OPERATIONS));
      live(draw(4), draw(2) == 0 ? 1 + draw(SOON) : 0);
      if (!summary.failure.empty()) break;
      disk.cutPower();
      disk.unmount();
      disk.mount();
      ++summary.cuts;
      look(round);
    }
    return summary;
  }

private:
  kj::AsyncIoContext& io;
  const PowerCuts& cuts;
  std::mt19937_64 engine;
  gavel::testing::TemporaryDirectory directory;
  LoopDisk disk;
  PowerCutsSummary summary;
  std::map<std::uint64_t, std::uint64_t> told;  // Checksums, by index.

  std::uint64_t draw(std::uint64_t count) {
    return std::uniform_int_distribution<std::uint64_t>(0, count - 1)(engine);
  }

  Finished start(std::uint64_t batches, std::uint64_t killedAt) {
    auto command = cuts.program;
    command.push_back(disk.place() + "/data");
    command.push_back(std::to_string(batches));
    command.push_back(std::to_string(killedAt));
    auto finished = runToEnd(io, command);
    if (finished.status != KILLED) {
      summary.failure = "a store ended by itself, with " + std::to_string(finished.status) + ": " +
                        finished.output + finished.errors;
    }
    return finished;
  }

  void live(std::uint64_t batches, std::uint64_t killedAt) {
    if (!summary.failure.empty()) return;
    auto finished = start(batches, killedAt);
    if (summary.failure.empty()) note(finished.output);
    ++summary.kills;
  }

  void note(const std::string& output) {
    std::istringstream lines(output);
    std::string what;
    std::uint64_t index = 0, checksum = 0;
    while (lines >> what >> index >> checksum) {
      auto [known, isNew] = told.try_emplace(index, checksum);
      if (!isNew && known->second != checksum) {
        summary.failure = "index " + std::to_string(index) + " is another entry than was told";
      }
    }
    if (!told.empty()) summary.told = told.rbegin()->first;
  }

  // Checks what a start finds after the power came back.
  void look(std::uint64_t round) {
    auto highest = summary.told;
    auto finished = start(0, 0);
    if (!summary.failure.empty()) return;
    std::istringstream lines(finished.output);
    std::string what;
    std::uint64_t index = 0;
    lines >> what >> index;
    if (index < highest) {
      summary.failure = "round " + std::to_string(round) + " of seed " + std::to_string(cuts.seed) +
                        ": after the power was lost the log ends at " + std::to_string(index) +
                        ", but durable was " + std::to_string(highest);
      return;
    }
    note(finished.output);
  }
};

}  // namespace

PowerCutsSummary cutPowerOf(kj::AsyncIoContext& io, const PowerCuts& cuts) {
  Rounds rounds(io, cuts);
  return rounds.run();
}

}  // namespace gavel::cluster
