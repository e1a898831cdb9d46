#pragma once

#include <string>
#include <vector>

#include "tests/simulation/engine.h"
#include "tests/support/memory-store.h"

namespace gavel::simulation {

// The disk of one machine with its data directory: what the processes that use it one after the
// other have written, and what of it would survive a loss of power.
//
// Syncs take the time that the seed says; one is under way at a time, and takes with it what had
// been written when it began.  A fault ends the process that meets it, as a real store does (R12).
class Disk final {
public:
  struct Settings {
    MemoryStore::Options store;
    Time shortestSync = 50 * kj::MICROSECONDS;
    Time longestSync = 5 * kj::MILLISECONDS;
    // Nothing is drawn: each sync takes `longestSync`, everything else no time to speak of, and a
    // loss of power takes all that was not synced.
    bool fixed = false;
  };

  Disk(Engine& engine, Dice dice, Settings settings);
  ~Disk() noexcept(false);
  KJ_DISALLOW_COPY(Disk);

  // The data directory as a process opens it; until the process ends, which ended() tells.
  kj::Own<Store> open(Process& process);

  // At the moment of the process's death.  After a loss of power only what was synced is left, and
  // some of what was written after it, in order.
  void processEnded();
  void powerLost();
  // A new, empty directory.  Only while no process uses it.
  void wipe();
  // A copy of the directory as it is now, with all that was written; and what is there is gone, and
  // that in its place.  The latter only while no process uses it.
  kj::Own<MemoryStore> copy() const;
  void putBack(kj::Own<MemoryStore> copy);
  // The directory that a process left which ended at `end`: the one that a copy has replaced since,
  // or else the one that is here.
  const MemoryStore& leftAt(Time end) const;

  // -- faults

  // Each write fails; the next sync fails; no sync ends before `until`.
  void setFull(bool value) { full = value; }
  bool isFull() const { return full; }
  void failNextSync() { syncFails = true; }
  void hang(Time until) { hangsUntil = until; }
  // Each sync that begins before `until` takes `extra` longer.
  void crawlFor(Time extra, Time until) {
    crawl = extra;
    crawlsUntil = until;
  }

  // Whether what a process that used this disk last has said at its end is what a fault explains.
  bool explains(const std::string& lastWords) const;
  // Called when a fault has struck: "disk full", "sync failed".
  std::function<void(const char*)> onStruck;

  const MemoryStore& store() const { return *store_; }

  // What a process is told of it (R12).
  DiskActivity activity() const;
  void probe();

private:
  class View;

  Engine& engine;
  Dice dice;
  Settings settings;
  kj::Own<MemoryStore> store_;
  struct Replaced {
    Time at;
    kj::Own<MemoryStore> store;
  };
  std::vector<Replaced> replaced;  // What copies have replaced, the oldest first.
  Process* user = nullptr;
  bool syncing = false;
  bool full = false;
  bool syncFails = false;
  Time hangsUntil = 0 * kj::NANOSECONDS;
  Time crawl = 0 * kj::NANOSECONDS;
  Time crawlsUntil = 0 * kj::NANOSECONDS;
  std::uint64_t endedSyncs = 0;
  std::chrono::nanoseconds syncBegan{0};
  RecentDurations syncs;
  std::string reason;  // Of the newest fault that its user has met.

  Time drawSync();
  Time drawUpTo(Time longest) {
    return settings.fixed ? Engine::SHORTEST_DELAY : dice.between(Engine::SHORTEST_DELAY, longest);
  }
  // Before and after each write.
  void checkRoom();
  void wrote();
  void beginSync(Process& process);
  void endSync(std::size_t writes);
  // As long as another thread takes to read something.
  kj::Promise<void> readDelay();
};

}  // namespace gavel::simulation
