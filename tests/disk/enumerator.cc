#include "tests/disk/enumerator.h"

#include <atomic>
#include <cstdio>
#include <optional>
#include <random>
#include <stdexcept>
#include <unistd.h>
#include <utility>

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/debug.h>

#include "base/logging.h"
#include "chain/header.h"
#include "schema/snapshot.capnp.h"
#include "store/restore.h"
#include "store/snapshot-parts.h"
#include "tests/disk/keeper.h"
#include "tests/disk/test-disk.h"

namespace gavel::disk {
namespace {

using What = Operation::What;

constexpr const char* KINDS[] = {"directory", "log segment", "durable", "RocksDB's log",
                                 ".sst",      "MANIFEST",    "CURRENT"};

std::string kindOf(const Operation& operation) {
  auto& path = operation.path;
  if (operation.what == What::change || operation.what == What::syncNames) return "directory";
  auto name = path.substr(path.rfind('/') + 1);
  if (name.starts_with("segment-")) return "log segment";
  if (name == "durable") return name;
  if (name.ends_with(".log")) return "RocksDB's log";
  if (name.ends_with(".sst") || name.ends_with(".blob")) return name.substr(name.rfind('.'));
  if (name.starts_with("MANIFEST")) return "MANIFEST";
  // CURRENT is written under a temporary name.
  if (name == "CURRENT" || name.ends_with(".dbtmp")) return "CURRENT";
  return "others";
}

const char* nameOf(What what) {
  switch (what) {
    case What::write:
      return "write to ";
    case What::resize:
      return "change of the size of ";
    case What::sync:
    case What::syncNames:
      return "sync of ";
    case What::change:
      return "change of the name ";
  }
  return "";
}

// An operation that is about to be done, and the contents before it.
struct Point {
  std::uint64_t number;
  Operation operation;
  Contents contents;
  Expected expected;
};

std::string describe(const Point& point, const std::string& how) {
  return "before operation " + std::to_string(point.number) + ", a " +
         nameOf(point.operation.what) + point.operation.path + ", " + how;
}

// Fails if a store ends its process, since it has met something that is no crash.
class Sink final: public LogSink {
public:
  std::string doing = "in the history itself";

  void event(LogLevel, std::string_view, std::initializer_list<LogField>) override {}
  [[noreturn]] void died(std::string_view event, std::initializer_list<LogField> fields) override {
    std::printf("ENUMERATOR failure: %s: a process ended itself: %s\n", doing.c_str(),
                logText(event, fields).c_str());
    std::fflush(stdout);
    _exit(ENDED_ITSELF);
  }
};

class Enumerator {
public:
  Enumerator(kj::AsyncIoContext& io, const Options& options, std::uint64_t seed, Summary& summary,
             Sink& sink)
      : options(options), summary(summary), sink(sink), draw(seed), world{io, {}, 1, 0, {}, {}} {}

  void runHistory();
  void runRestore();

private:
  const Options& options;
  Summary& summary;
  Sink& sink;
  std::mt19937_64 draw;
  World world;
  std::uint64_t done = 0;  // Operations.
  std::vector<Point> points;

  // Draws for the disk in use.  The hook runs on the store's threads, one at a time.
  std::mt19937_64 drawOnDisk{draw()};
  std::atomic<Keeper*> live{nullptr};
  Expected opening;

  bool enough() const { return options.firstFailure && !summary.failures.empty(); }
  void record(TestDisk& disk, const Expected& before);
  void explore();
  void explore(const Point& point);
  void afterRestart(const Point& point, const Contents& contents, const std::string& how);
  void recover(const Point& point, const std::string& how, const Contents& contents,
               const Expected& expected, unsigned depth);
  void failed(const Point& point, const std::string& how, const std::string& what);
  // Keeps all of some files and directories, and nothing of others.
  Contents::Keep someFiles() {
    return
        [seed = draw()](Contents::Id id) { return ((seed ^ id) * 0x9e3779b97f4a7c15) >> 63 != 0; };
  }
  Contents::Keep some(std::mt19937_64& from, unsigned percent) {
    return [&from, percent](Contents::Id) { return from() % 100 < percent; };
  }
};

Contents freshDisk() {
  Contents contents;
  auto directory = contents.make(contents.placeOf("/var"), true);
  contents.syncNames(Contents::ROOT);
  contents.syncNames(directory);
  return contents;
}

bool nothing(Contents::Id) {
  return false;
}

// From this call on, each operation is a point at which to crash.
void Enumerator::record(TestDisk& disk, const Expected& before) {
  opening = before;
  live = nullptr;
  disk.setBefore([this](const Operation& operation, Contents& contents) {
    ++done;
    auto* keeper = live.load();
    points.push_back({done, operation, contents, keeper != nullptr ? keeper->expected() : opening});
    if (operation.id != Contents::NONE && !contents.isDirectory(operation.id) &&
        drawOnDisk() % 8 == 0) {
      contents.writeBack(operation.id, some(drawOnDisk, 50));
    }
  });
}

void Enumerator::runHistory() {
  Contents contents = freshDisk();
  Expected expected;
  while (done < options.operations && !enough()) {
    TestDisk disk(contents);
    record(disk, expected);
    sink.doing = "in the history itself";
    std::optional<Keeper> keeper;
    try {
      keeper.emplace(world, disk, expected, draw());
      live = &*keeper;
      do {
        sink.doing = "in the history itself";
        keeper->step();
        explore();
      } while (draw() % 12 != 0 && done < options.operations && !enough());
      if (draw() % 2 == 0) {
        // The process is killed.
        disk.setBefore(nullptr);
        contents = disk.contents();
        expected = keeper->expected();
        continue;
      }
      expected = keeper->expected();
      live = nullptr;
      opening = expected;
      keeper.reset();
      contents = disk.contents();
      explore();
    } catch (const std::runtime_error& error) {
      disk.setBefore(nullptr);
      points.clear();
      summary.failures.push_back("in the history itself, at operation " + std::to_string(done) +
                                 ": " + error.what());
      return;
    }
  }
  summary.operations += done;
  done = 0;
}

// Restores a backup into an empty directory.
void Enumerator::runRestore() {
  if (world.snapshot.empty() || enough()) return;
  Contents contents = freshDisk();
  {
    TestDisk disk(contents);
    disk.makeDirectories("/backup");
    auto file = disk.open("/backup/snapshot", FileSystem::Missing::make);
    auto put = [&](capnp::MallocMessageBuilder& message) {
      auto words = capnp::messageToFlatArray(message);
      file->write(file->size(), words.asBytes());
    };
    capnp::MallocMessageBuilder header, end;
    auto start = header.initRoot<schema::SnapshotPart>().initHeader();
    start.setClusterId(77);
    start.setFormatVersion(1);
    writePosition(world.snapshotAt, start.initPosition());
    put(header);
    std::uint64_t last = 0;
    for (auto& part: world.snapshot) {
      capnp::MallocMessageBuilder message;
      auto records = message.initRoot<schema::SnapshotPart>().initRecords();
      auto bytes = bytesOfText(part);
      records.setData(bytes);
      records.setChecksum(last = partChecksum(bytes, last));
      put(message);
    }
    auto ending = end.initRoot<schema::SnapshotPart>().initEnd();
    ending.setParts(world.snapshot.size());
    ending.setChecksum(last);
    put(end);
    file->sync();
    disk.syncDirectory("/backup");
    disk.syncDirectory("/");
    contents = disk.contents();
  }
  auto at = world.snapshotAt;
  at.epoch = 0;
  auto log = std::make_shared<Branch>(Branch{at, nullptr});
  TestDisk disk(contents);
  Expected expected;
  expected.logs = {log, std::make_shared<Branch>()};
  expected.mayBeIncomplete = true;
  record(disk, expected);
  gavel::testing::SeededRandom random(draw());
  auto storeOptions = Keeper::options(disk);
  restoreBackup("/backup", Keeper::DIRECTORY, random, storeOptions).wait(world.io.waitScope);
  disk.setBefore(nullptr);
  explore();
  // The restore was reported as complete.
  expected.logs = {log};
  expected.mayBeIncomplete = false;
  expected.durable = at.index;
  recover({done, {What::sync, Contents::NONE, "/var/data"}, {}, expected}, "after it was restored",
          disk.contents().afterPowerLoss(nothing), expected, 0);
  summary.operations += done;
  done = 0;
}

void Enumerator::explore() {
  // Lets the store's threads go on.
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!enough()) explore(points[i]);
  }
  points.clear();
}

void Enumerator::explore(const Point& point) {
  ++summary.points;
  ++summary.byKind[kindOf(point.operation)];
  auto parts = point.contents.unsynced();
  if (parts < 8 && (std::size_t{1} << parts) <= options.samples) {
    for (std::size_t mask = 0; mask < std::size_t{1} << parts; ++mask) {
      auto rest = mask;
      auto keep = [&rest](Contents::Id) {
        bool kept = rest & 1;
        rest >>= 1;
        return kept;
      };
      recover(point, "power is lost", point.contents.afterPowerLoss(keep), point.expected,
              mask == 0 ? options.depth : 0);
    }
  } else {
    recover(point, "power is lost", point.contents.afterPowerLoss(nothing), point.expected, 0);
    for (unsigned i = 1; i < options.samples; ++i) {
      bool files = draw() % 2 == 0;
      static constexpr unsigned PERCENT[] = {10, 50, 90, 100};
      auto keep = files ? someFiles() : some(draw, PERCENT[draw() % 4]);
      recover(point,
              files ? "power is lost, but not what was written to some files"
                    : "power is lost, but not some of what was written",
              point.contents.afterPowerLoss(keep), point.expected, i == 1 ? options.depth : 0);
    }
  }
  auto& operation = point.operation;
  bool sync = operation.what == What::sync;
  if (sync) {
    auto contents = point.contents;
    contents.failSync(operation.id, some(draw, draw() % 2 == 0 ? 0 : 50));
    afterRestart(point, contents, "the sync fails, and the process ends");
  }
  if (sync || draw() % 4 == 0) afterRestart(point, point.contents, "the process is killed");
}

// A process starts on what another one has left in the page cache, and then power is lost.
void Enumerator::afterRestart(const Point& point, const Contents& contents,
                              const std::string& how) {
  ++summary.states;
  sink.doing = describe(point, how);
  std::optional<Contents> left;
  Expected expected;
  try {
    TestDisk disk(contents);
    Keeper keeper(world, disk, point.expected, draw());
    left = disk.contents();
    expected = keeper.expected();
  } catch (const std::runtime_error& error) {
    return failed(point, how, error.what());
  }
  recover(point, how + "; another one starts, and power is lost", left->afterPowerLoss(nothing),
          expected, 0);
}

void Enumerator::recover(const Point& point, const std::string& how, const Contents& contents,
                         const Expected& expected, unsigned depth) {
  ++summary.states;
  sink.doing = describe(point, how);
  std::optional<Point> next;
  try {
    TestDisk disk(contents);
    std::atomic<Keeper*> keeper{nullptr};
    // One of the operations of this process is the next point at which to crash.
    auto chosen = depth == 0 ? 0 : 1 + draw() % 60;
    std::uint64_t number = 0;
    if (chosen != 0) {
      disk.setBefore([&](const Operation& operation, Contents& now) {
        if (++number != chosen) return;
        auto* open = keeper.load();
        next = Point{point.number, operation, now, open != nullptr ? open->expected() : expected};
      });
    }
    Keeper recovered(world, disk, expected, draw());
    keeper = &recovered;
    if (chosen != 0) recovered.step();
    disk.setBefore(nullptr);
  } catch (const std::runtime_error& error) {
    return failed(point, how, error.what());
  }
  if (!next) return;
  auto again = how + "; then at a " + nameOf(next->operation.what) + next->operation.path + " ";
  if (draw() % 4 == 0) return afterRestart(*next, next->contents, again + "the process is killed");
  recover(*next, again + "power is lost again",
          next->contents.afterPowerLoss(some(draw, draw() % 101)), next->expected, depth - 1);
}

void Enumerator::failed(const Point& point, const std::string& how, const std::string& what) {
  summary.failures.push_back(describe(point, how) + ": " + what);
}

}  // namespace

std::string Summary::text() const {
  std::string text = "ENUMERATOR operations " + std::to_string(operations) + ", crash points " +
                     std::to_string(points) + ", states " + std::to_string(states) + ", failures " +
                     std::to_string(failures.size()) + "\n";
  text += "ENUMERATOR crash points by kind of file:";
  const char* separator = " ";
  for (auto& [kind, count]: byKind) {
    text += separator + kind + " " + std::to_string(count);
    separator = ", ";
  }
  return text + "\n";
}

Summary enumerate(kj::AsyncIoContext& io, const Options& options) {
  Sink sink;
  setLogSink(&sink);
  KJ_DEFER(setLogSink(nullptr));
  Summary summary;
  for (std::uint64_t i = 0; i < options.histories; ++i) {
    Enumerator enumerator(io, options, options.seed + i, summary, sink);
    enumerator.runHistory();
    enumerator.runRestore();
    if (options.firstFailure && !summary.failures.empty()) break;
  }
  return summary;
}

std::vector<std::string> kindsMissing(const Summary& summary) {
  std::vector<std::string> missing;
  for (auto* kind: KINDS) {
    if (!summary.byKind.contains(kind)) missing.push_back(kind);
  }
  return missing;
}

}  // namespace gavel::disk
