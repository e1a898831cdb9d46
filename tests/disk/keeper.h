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

// A log as a sequence of positions.  Several logs share a beginning.
struct Branch {
  Position end;
  std::shared_ptr<const Branch> before;  // Null at its start.
};
using BranchPtr = std::shared_ptr<const Branch>;

// What a store may hold after a crash, given what it was asked to do and what it has reported.
struct Expected {
  // The store has to hold a beginning of one of these logs: the newest, or one that an operation
  // under way may have left.  None: the log begins nowhere yet.
  std::vector<BranchPtr> logs;
  std::uint64_t durable = 0;  // The index that was reported.
  bool mayBeIncomplete = false;
  std::uint64_t storeId = 0;     // 0: not reported yet.
  std::uint64_t generation = 0;  // The highest that was reported.
  std::uint64_t leastEpoch = 0;  // The epoch of the configuration that was reported last.
  std::uint64_t mostEpoch = 0;   // The epoch of the configuration that was given last.
};

// State that does not depend on crashes, and is shared by all stores of a run.
struct World {
  using Hash = std::array<std::uint8_t, 32>;
  using Order = bool (*)(const Position&, const Position&);

  kj::AsyncIoContext& io;
  // Hashes of the state at each position that was ever made.
  std::map<std::pair<std::uint64_t, std::uint64_t>, Hash> hashes;
  std::uint64_t epoch = 1;  // Each cut begins a new one.
  std::uint64_t configurationEpoch = 0;
  // The newest snapshot that was taken, to be installed later.
  Position snapshotAt;
  std::vector<std::string> snapshot;
};

// A store on a disk, as one process uses it, with what is expected of it after a crash.
class Keeper {
public:
  static constexpr char DIRECTORY[] = "/var/data";

  // Opens the store.  Throws std::runtime_error unless its contents are as expected.
  Keeper(World& world, TestDisk& disk, const Expected& before, std::uint64_t seed);
  ~Keeper() noexcept(false);
  KJ_DISALLOW_COPY(Keeper);

  // The present expectation.  May be called on any thread.
  Expected expected() const;

  // Draws an operation, does it, and awaits it.
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

// The text of a position for the message of a check.
std::string describe(const Position& position);

}  // namespace gavel::disk
