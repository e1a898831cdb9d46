#pragma once

#include <string>
#include <vector>

#include "tests/simulation/engine.h"
#include "tests/support/memory-store.h"

namespace gavel::simulation {

// The disk of one machine with its data directory: what the processes that use it one after the
// other have written, and the part that would survive a loss of power.
//
// The seed decides how long syncs take.  One is under way at a time, and covers what had been
// written when it began.  A fault ends the process that meets it, as a real store does (R12).
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

  // Opens the data directory for a process, until it ends, which processEnded() reports.
  kj::Own<Store> open(Process& process);

  // To be called at the process's death.  After a loss of power only what was synced is left, and
  // some of the writes after it, in order.
  void processEnded();
  void powerLost();
  // A new, empty directory.  Only while no process uses it.
  void wipe();
  // copy() returns a copy of the present directory, with all that was written.  The other method
  // replaces the contents by such a copy, and may be called only while no process uses the
  // directory.
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

  // Whether a fault explains the last words of a process that used this disk.
  bool explains(const std::string& lastWords) const;
  // Called when a fault has struck: "disk full", "sync failed".
  std::function<void(const char*)> onStruck;

  const MemoryStore& store() const { return *store_; }

  // What a process knows of it (R12).
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
  std::string reason;  // The newest fault that its user has met.

  Time drawSync();
  Time drawUpTo(Time longest) {
    return settings.fixed ? Engine::SHORTEST_DELAY : dice.between(Engine::SHORTEST_DELAY, longest);
  }
  // Before and after each write.
  void checkRoom();
  void wrote();
  void beginSync(Process& process);
  void endSync(std::size_t writes);
  // The time for which another thread reads something.
  kj::Promise<void> readDelay();
};

}  // namespace gavel::simulation
