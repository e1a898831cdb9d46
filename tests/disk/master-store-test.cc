#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/async-io.h>
#include <kj/debug.h>

#include "base/logging.h"
#include "master/embedded-store.h"
#include "tests/disk/test-disk.h"

// What a master's start finds on its disk.  After crashes at every operation, it finds all that was
// reported.  If the disk has rotted, it finds that.
namespace gavel::disk {
namespace {

using master::EmbeddedStore;
using master::Stored;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char DIRECTORY[] = "/var/lib/master";

bool nothing(Contents::Id) {
  return false;
}

class Quiet final: public LogSink {
public:
  Quiet() { setLogSink(this); }
  ~Quiet() noexcept(false) override { setLogSink(nullptr); }
  void event(LogLevel level, std::string_view event,
             std::initializer_list<LogField> fields) override {
    std::lock_guard<std::mutex> lock(mutex);
    if (level >= LogLevel::warning) text += logText(event, fields) + "\n";
  }
  [[noreturn]] void died(std::string_view event, std::initializer_list<LogField>) override {
    throw std::runtime_error(std::string(event));
  }

  std::mutex mutex;
  std::string text;
};

kj::Array<const kj::byte> bytes(const std::string& text) {
  return kj::heapArray<kj::byte>(bytesOfText(text));
}

std::string textOf(kj::ArrayPtr<const kj::byte> bytes) {
  return {bytes.asChars().begin(), bytes.size()};
}

// Long enough for a record of RocksDB's log to take several sectors.
std::string documentOf(std::uint64_t version) {
  return "document " + std::to_string(version) + std::string(700 + 13 * version % 700, 'd');
}
std::string noteOf(std::uint64_t number) {
  return "note " + std::to_string(number);
}
std::uint64_t numberIn(const std::string& text) {
  auto blank = text.find(' ');
  return blank == std::string::npos ? 0 : std::stoull(text.substr(blank));
}

std::string kindOf(const std::string& name) {
  for (const char* ending: {".sst", ".log", ".dbtmp"}) {
    if (name.ends_with(ending)) return ending;
  }
  return name.substr(0, name.find('-', name.starts_with("durable-") ? 8 : 0));
}

class MasterStoreTest: public ::testing::Test {
protected:
  ~MasterStoreTest() noexcept override = default;

  kj::AsyncIoContext io = kj::setupAsyncIo();
  Quiet log;

  static Contents fresh() {
    TestDisk disk{Contents()};
    disk.makeDirectories("/var");
    disk.syncDirectory("/");
    return disk.contents();
  }
  static kj::Own<EmbeddedStore> open(TestDisk& disk) {
    return kj::heap<EmbeddedStore>(DIRECTORY, disk);
  }
  // The reason why opening is refused; empty if it is not.
  static std::string openError(TestDisk& disk) {
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                   auto store = open(disk);
                   disk.setRoom(UINT64_MAX);  // There is room for everything later.
                 })) {
      return exception->getDescription().cStr();
    }
    return "";
  }
  Stored get(EmbeddedStore& store) { return store.get().wait(io.waitScope); }
  std::string getNote(EmbeddedStore& store) { return textOf(store.getNote().wait(io.waitScope)); }
  void swap(EmbeddedStore& store) {
    auto version = get(store).version;
    ASSERT_TRUE(store.compareAndSwap(version, bytes(documentOf(version + 1))).wait(io.waitScope) !=
                nullptr);
  }
  void put(EmbeddedStore& store, std::uint64_t number) {
    store.putNote(bytes(noteOf(number))).wait(io.waitScope);
  }

  // The disk of a master that was started several times.
  struct Lived {
    Contents contents;
    std::uint64_t version = 0, note = 0;
  };
  Lived lived() {
    Lived result{fresh()};
    for (unsigned starts = 0; starts < 3; ++starts) {
      TestDisk disk(result.contents);
      auto store = open(disk);
      for (unsigned i = 0; i < 3; ++i) {
        swap(*store);
        put(*store, ++result.note);
      }
      swap(*store);
      result.version = get(*store).version;
      getNote(*store);  // It follows the sync of what the swap has noted.
      result.contents = disk.contents().afterPowerLoss(nothing);
    }
    return result;
  }
  // Checks that the store can be used.
  void expectUsable(TestDisk& disk, std::uint64_t version, const std::string& why) {
    {
      auto store = open(disk);
      ASSERT_EQ(get(*store).version, version) << why;
      swap(*store);
    }
    ASSERT_EQ(openError(disk), "") << why;
  }
};

TEST_F(MasterStoreTest, TheFirstStartMayFindNoRoom) {
  unsigned refused = 0;
  for (std::uint64_t room = 0;; room += 61) {
    TestDisk disk(fresh());
    disk.setRoom(room);
    auto error = openError(disk);
    if (error.empty()) break;
    ++refused;
    ASSERT_THAT(error, AllOf(HasSubstr("has no space left: start again when there is room"),
                             HasSubstr(DIRECTORY)))
        << "there was room for " << room << " bytes";
    disk.setRoom(UINT64_MAX);
    ASSERT_EQ(openError(disk), "") << "there was room for " << room << " bytes";
  }
  EXPECT_GT(refused, 100u);
}

TEST_F(MasterStoreTest, ALaterStartMayFindNoRoomAndLosesNothing) {
  auto before = lived();
  unsigned refused = 0;
  for (std::uint64_t room = 0;; room += 61) {
    TestDisk disk(before.contents);
    disk.setRoom(room);
    auto error = openError(disk);
    if (error.empty()) break;
    ++refused;
    ASSERT_THAT(error, AllOf(HasSubstr("has no space left: start again when there is room"),
                             HasSubstr(DIRECTORY)))
        << "there was room for " << room << " bytes";
    disk.setRoom(UINT64_MAX);
    expectUsable(disk, before.version, "there was room for " + std::to_string(room) + " bytes");
    if (HasFailure()) return;
  }
  EXPECT_GT(refused, 20u);
}

// Power is lost right after the first start, and after the first swap.
TEST_F(MasterStoreTest, TheNamesOfADirectoryThatWasMadeAreSynced) {
  TestDisk disk(fresh());
  auto store = open(disk);
  {
    TestDisk lost(disk.contents().afterPowerLoss(nothing));
    EXPECT_TRUE(lost.exists(std::string(DIRECTORY) + "/CURRENT"));
  }
  swap(*store);
  put(*store, 1);
  TestDisk lost(disk.contents().afterPowerLoss(nothing));
  auto after = open(lost);
  EXPECT_EQ(get(*after).version, 1u);
  EXPECT_EQ(getNote(*after), noteOf(1));
}

// -- damage

enum class Damage { flipped, zeroed, cutOff, removed };

std::string describe(Damage damage, const std::string& name, std::uint64_t at) {
  auto where = " of " + name + " at " + std::to_string(at);
  switch (damage) {
    case Damage::flipped:
      return "a bit" + where;
    case Damage::zeroed:
      return "512 bytes to zero" + where;
    case Damage::cutOff:
      return "the end" + where;
    case Damage::removed:
      return "all of " + name;
  }
  return "";
}

class MasterDamageTest: public MasterStoreTest {
protected:
  ~MasterDamageTest() noexcept override = default;

  Lived before = lived();
  struct Count {
    unsigned found = 0, harmless = 0;
  };
  std::map<std::string, Count> counts;

  std::uint64_t sizeOf(const std::string& name) {
    TestDisk disk(before.contents);
    return disk.openToRead(std::string(DIRECTORY) + "/" + name)->size();
  }
  std::vector<std::string> names() {
    TestDisk disk(before.contents);
    return disk.list(DIRECTORY);
  }
  static void harm(TestDisk& disk, Damage damage, const std::string& path, std::uint64_t at,
                   unsigned bit) {
    auto file = disk.open(path, FileSystem::Missing::fail);
    kj::byte byte = 0;
    std::string zeros(std::min<std::uint64_t>(512, file->size() - at), '\0');
    switch (damage) {
      case Damage::flipped:
        file->read(at, kj::arrayPtr(&byte, 1));
        byte ^= static_cast<kj::byte>(1u << bit);
        return file->write(at, kj::arrayPtr(&byte, 1));
      case Damage::zeroed:
        return file->write(at, bytesOfText(zeros));
      case Damage::cutOff:
        return disk.resize(path, at);
      case Damage::removed:
        disk.remove(path);
        return;
    }
  }
  // The damage is reported in words, or nothing is lost.
  void tryDamage(Damage damage, const std::string& name, std::uint64_t at, unsigned bit = 0) {
    auto what = describe(damage, name, at);
    TestDisk disk(before.contents);
    harm(disk, damage, std::string(DIRECTORY) + "/" + name, at, bit);
    auto error = openError(disk);
    if (error.empty()) {
      ++counts[kindOf(name)].harmless;
      {
        auto store = open(disk);
        ASSERT_EQ(getNote(*store), noteOf(before.note)) << what;
        ASSERT_EQ(textOf(get(*store).document), documentOf(before.version)) << what;
      }
      return expectUsable(disk, before.version, what);
    }
    ++counts[kindOf(name)].found;
    ASSERT_THAT(error, AllOf(HasSubstr(DIRECTORY), HasSubstr("is damaged: "),
                             HasSubstr("do not put an older copy"), HasSubstr("--rebuild")))
        << what;
    // A second start says the same, and makes nothing worse.
    ASSERT_EQ(openError(disk), error) << what;
  }
  void show() {
    for (auto& [kind, count]: counts) {
      std::printf("%-17s %5u found, %5u harmless\n", kind.c_str(), count.found, count.harmless);
    }
  }
};

TEST_F(MasterDamageTest, OfAnyByteIsFoundAtTheStartOrHarmless) {
  for (auto& name: names()) {
    auto size = sizeOf(name);
    // These are mostly zeros, or read by nobody.
    bool sparse = name.starts_with("durable-") || name.starts_with("OPTIONS");
    bool large = name.ends_with(".sst") || name.ends_with(".log");
    auto step = [&](std::uint64_t at) { return sparse && at % 4096 > 32 ? 197 : large ? 3 : 1; };
    for (std::uint64_t at = 0; at < size && !HasFailure(); at += step(at)) {
      tryDamage(Damage::flipped, name, at, at % 8);
    }
  }
  show();
  // Each byte of a table counts.  In RocksDB's log, everything that was reported counts.
  EXPECT_EQ(counts[".sst"].harmless, 0u);
  EXPECT_EQ(counts[".log"].harmless, 0u);
  EXPECT_EQ(counts["CURRENT"].harmless, 0u);
  for (const char* kind: {".sst", ".log", "MANIFEST", "CURRENT"}) {
    EXPECT_GT(counts[kind].found, 10u) << kind;
  }
  for (const char* kind: {"OPTIONS", "IDENTITY", "durable-document", "durable-note"}) {
    EXPECT_EQ(counts[kind].found, 0u) << kind;
    EXPECT_GT(counts[kind].harmless, 10u) << kind;
  }
}

TEST_F(MasterDamageTest, OfWholeSectorsAndFilesIsFoundAtTheStartOrHarmless) {
  for (auto& name: names()) {
    auto size = sizeOf(name);
    for (std::uint64_t at = 0; at < size && !HasFailure(); at += 512) {
      tryDamage(Damage::zeroed, name, at);
    }
    auto step = std::max<std::uint64_t>(1, size / 64);
    for (std::uint64_t at = 0; at < size && !HasFailure(); at += step) {
      tryDamage(Damage::cutOff, name, at);
    }
    tryDamage(Damage::removed, name, 0);
    if (HasFailure()) break;
  }
  show();
  for (const char* kind: {".sst", ".log", "MANIFEST", "CURRENT", "durable-document"}) {
    EXPECT_GT(counts[kind].found, 0u) << kind;
  }
}

TEST_F(MasterDamageTest, NamesTheVersionThatWasStored) {
  for (auto& name: names()) {
    if (!name.ends_with(".log")) continue;
    TestDisk disk(before.contents);
    disk.resize(std::string(DIRECTORY) + "/" + name, sizeOf(name) - 1);
    EXPECT_THAT(openError(disk),
                HasSubstr("version 12 of the document was stored, and what can be read of "
                          "RocksDB's log and tables ends with 11"));
  }
}

TEST_F(MasterDamageTest, OfOneCopyOfANotedVersionIsToldAndMended) {
  TestDisk disk(before.contents);
  auto path = std::string(DIRECTORY) + "/durable-document";
  for (unsigned slot = 0; slot < 2; ++slot) {
    log.text.clear();
    harm(disk, Damage::flipped, path, slot * 4096 + 9, 3);
    EXPECT_EQ(openError(disk), "");
    EXPECT_THAT(log.text, HasSubstr("one of two copies in a file was damaged"));
    log.text.clear();
    EXPECT_EQ(openError(disk), "");
    EXPECT_EQ(log.text, "");
  }
}

// -- crashes

// What a store may hold.
struct Bounds {
  std::uint64_t told = 0, toldNote = 0;    // At least.
  std::uint64_t given = 0, givenNote = 0;  // At most.
};

struct Point {
  std::string operation;
  Contents contents;
  Bounds bounds;
};

class MasterCrashTest: public MasterStoreTest {
protected:
  ~MasterCrashTest() noexcept override = default;

  std::mutex mutex;
  Bounds bounds;
  std::vector<Point> points;
  std::mt19937_64 draw{1};
  std::map<std::string, unsigned> byKind;
  unsigned crashes = 0, states = 0;

  void change(const std::function<void(Bounds&)>& how) {
    std::lock_guard<std::mutex> lock(mutex);
    how(bounds);
  }
  void record(TestDisk& disk) {
    disk.setBefore([this](const Operation& operation, Contents& contents) {
      std::lock_guard<std::mutex> lock(mutex);
      auto name = operation.path.substr(operation.path.rfind('/') + 1);
      ++byKind[operation.what == Operation::What::change ||
                       operation.what == Operation::What::syncNames
                   ? "directory"
                   : kindOf(name)];
      points.push_back({operation.path, contents, bounds});
    });
  }
  // Makes swaps and notes at once, as a master does.
  void work(EmbeddedStore& store, unsigned swaps) {
    for (unsigned i = 0; i < swaps; ++i) {
      auto version = get(store).version;
      auto number = numberIn(getNote(store));
      change([&](Bounds& bounds) {
        bounds.given = version + 1;
        bounds.givenNote = number + 1;
      });
      auto noted = store.putNote(bytes(noteOf(number + 1))).then([this, number]() {
        change([&](Bounds& bounds) { bounds.toldNote = number + 1; });
      });
      ASSERT_TRUE(
          store.compareAndSwap(version, bytes(documentOf(version + 1))).wait(io.waitScope) !=
          nullptr);
      change([&](Bounds& bounds) { bounds.told = version + 1; });
      noted.wait(io.waitScope);
    }
  }
  // Starts from what is left, and goes on.
  void recover(const Point& point, const Contents& contents, const std::string& how,
               unsigned depth) {
    ++states;
    auto why = "crash before an operation on " + point.operation + ", " + how;
    TestDisk disk(contents);
    {
      change([&](Bounds& now) { now = point.bounds; });
      points.clear();
      if (depth > 0) record(disk);
      kj::Own<EmbeddedStore> store;
      KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { store = open(disk); })) {
        FAIL() << why << ": " << exception->getDescription().cStr();
      }
      auto version = get(*store).version;
      auto number = numberIn(getNote(*store));
      ASSERT_GE(version, point.bounds.told) << why;
      ASSERT_LE(version, point.bounds.given) << why;
      ASSERT_GE(number, point.bounds.toldNote) << why;
      ASSERT_LE(number, point.bounds.givenNote) << why;
      ASSERT_EQ(textOf(get(*store).document), version > 0 ? documentOf(version) : "") << why;
      // Somebody knows it now, so later starts must find it.
      change([&](Bounds& now) { now = {version, number, version, number}; });
      work(*store, 1);
      disk.setBefore(nullptr);
    }
    if (depth == 0 || HasFailure()) return;
    // Chooses one of the crashes that may follow.
    auto next = points;
    auto& chosen = next[draw() % next.size()];
    crash(chosen, depth - 1);
  }
  void crash(const Point& point, unsigned depth) {
    ++crashes;
    recover(point, point.contents, "the process was killed", depth);
    for (unsigned percent: {0, 50, 100}) {
      if (HasFailure()) return;
      auto keep = [&](Contents::Id) { return draw() % 100 < percent; };
      recover(
          point, point.contents.afterPowerLoss(keep),
          "power was lost, and of what was not synced " + std::to_string(percent) + " % was kept",
          depth);
    }
    if (HasFailure()) return;
    auto files = [seed = draw()](Contents::Id id) {
      return ((seed ^ id) * 0x9e3779b97f4a7c15) >> 63 != 0;
    };
    recover(point, point.contents.afterPowerLoss(files), "power was lost, and some files were kept",
            depth);
  }
};

TEST_F(MasterCrashTest, AtAnyOperationLosesNothingThatWasToldAndIsNoDamage) {
  Contents contents = fresh();
  for (unsigned starts = 0; starts < 4; ++starts) {
    std::vector<Point> all;
    {
      TestDisk disk(contents);
      points.clear();
      record(disk);
      auto store = open(disk);
      work(*store, starts == 0 ? 1 : 3);
      disk.setBefore(nullptr);
      if (starts % 2 == 0) contents = disk.contents();  // The process is killed.
      store = nullptr;
      if (starts % 2 == 1) contents = disk.contents();
      all = std::move(points);
    }
    auto here = bounds;
    for (auto& point: all) {
      crash(point, draw() % 8 == 0 ? 2 : 0);
      if (HasFailure()) return;
    }
    bounds = here;
  }
  std::printf("%u crashes, %u states", crashes, states);
  for (auto& [kind, count]: byKind) std::printf(", %s %u", kind.c_str(), count);
  std::printf("\n");
  for (const char* kind:
       {"directory", ".sst", ".log", "MANIFEST", ".dbtmp", "durable-document", "durable-note"}) {
    EXPECT_GT(byKind[kind], 0u) << kind;
  }
}

}  // namespace
}  // namespace gavel::disk
