#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <kj/async-io.h>

#include "store/rocks-store.h"
#include "tests/disk/test-disk.h"
#include "tests/support/fakes.h"

namespace gavel::disk {

// A log as a row of positions, of which others share the beginning.
struct Branch {
  Position end;
  std::shared_ptr<const Branch> before;  // Null at its start.
};
using BranchPtr = std::shared_ptr<const Branch>;

// What a store may hold after a crash, by what it has been given and what it has told.
struct Expected {
  // Logs of which it has to hold a beginning: the newest, and those that something under way may
  // have left standing.  None: a log that begins nowhere yet.
  std::vector<BranchPtr> logs;
  std::uint64_t durable = 0;  // The index that was told.
  bool mayBeIncomplete = false;
  std::uint64_t storeId = 0;     // 0: not told yet.
  std::uint64_t generation = 0;  // The highest told.
  std::uint64_t leastEpoch = 0;  // Of the configuration: the one told last.
  std::uint64_t mostEpoch = 0;   // The one given last.
};

// What does not depend on any crash, and is shared by all stores of a run.
struct World {
  using Hash = std::array<std::uint8_t, 32>;
  using Order = bool (*)(const Position&, const Position&);

  kj::AsyncIoContext& io;
  // Of the state at each position that was ever made.
  std::map<std::pair<std::uint64_t, std::uint64_t>, Hash> hashes;
  std::uint64_t epoch = 1;  // Each cut gives what follows it a new one.
  std::uint64_t configurationEpoch = 0;
  // The newest snapshot that was taken, to be installed later.
  Position snapshotAt;
  std::vector<std::string> snapshot;
};

// A store that works on a disk, as one process has it, and what is expected of it if it crashes.
class Keeper {
public:
  static constexpr char DIRECTORY[] = "/var/data";

  // Opens the store, and throws std::runtime_error unless all in it is as expected.
  Keeper(World& world, TestDisk& disk, const Expected& before, std::uint64_t seed);
  ~Keeper() noexcept(false);
  KJ_DISALLOW_COPY(Keeper);

  // As of now; on any thread.
  Expected expected() const;

  // Does something that is drawn, and awaits it.
  void step();
  void append();
  void checkpoint();
  void cut();
  void saveConfiguration();
  void takeSnapshot();
  void install();
  void flush();

  static RocksStoreOptions options(TestDisk& disk);

private:
  World& world;
  gavel::testing::SeededRandom random;
  std::mt19937_64 draw;
  kj::Own<RocksStore> store;
  auction::State state;
  Position end, checkpointed;
  bool incomplete = false;

  mutable std::mutex mutex;
  Expected expected_;

  void check(const Expected& before);
  template <typename Change>
  void expect(Change change);
  BranchPtr log() const { return expected_.logs.front(); }
  BranchPtr logUpTo(const Position& position) const;
  BatchPtr nextBatch();
  void loadAgain();
  void awaitDurable(std::uint64_t index);
  bool chance(unsigned percent) { return draw() % 100 < percent; }
};

// As text, for what a check says.
std::string describe(const Position& position);

}  // namespace gavel::disk
