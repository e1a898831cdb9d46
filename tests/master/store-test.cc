#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <rocksdb/db.h>

#include "master/embedded-store.h"
#include "master/ledger.h"
#include "tests/support/fakes.h"
#include "tests/support/memory-config-store.h"

namespace gavel::master {
namespace {

using gavel::testing::TemporaryDirectory;
using ::testing::AllOf;
using ::testing::HasSubstr;

kj::Array<const kj::byte> bytes(kj::StringPtr text) {
  return kj::heapArray<kj::byte>(text.asBytes());
}

std::string text(const Stored& stored) {
  return {stored.document.asChars().begin(), stored.document.size()};
}

std::string errorOf(kj::Function<void()> action) {
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { action(); })) {
    return exception->getDescription().cStr();
  }
  return "";
}

// The contract of ConfigStore, checked for each implementation.
enum class Kind { memory, embedded };

class StoreTest: public ::testing::TestWithParam<Kind> {
protected:
  ~StoreTest() noexcept override = default;

  kj::AsyncIoContext io = kj::setupAsyncIo();
  TemporaryDirectory directory;
  kj::Own<ConfigStore> store = make();

  kj::Own<ConfigStore> make() {
    if (GetParam() == Kind::memory) return kj::heap<MemoryConfigStore>();
    return kj::heap<EmbeddedStore>(directory.path().c_str());
  }

  // The new version; 0 if another swap was first.
  std::uint64_t swap(std::uint64_t expected, kj::StringPtr document) {
    return store->compareAndSwap(expected, bytes(document)).wait(io.waitScope).orDefault(0);
  }
  Stored get() { return store->get().wait(io.waitScope); }
};

INSTANTIATE_TEST_SUITE_P(All, StoreTest, ::testing::Values(Kind::memory, Kind::embedded),
                         [](auto& info) {
                           return info.param == Kind::memory ? "Memory" : "Embedded";
                         });

TEST_P(StoreTest, IsEmptyAtFirst) {
  EXPECT_EQ(get().version, 0u);
  EXPECT_EQ(text(get()), "");
}

TEST_P(StoreTest, SwapsOnlyFromTheExpectedVersion) {
  EXPECT_EQ(swap(1, "early"), 0u);
  EXPECT_EQ(swap(0, "first"), 1u);
  EXPECT_EQ(swap(0, "late"), 0u);
  EXPECT_EQ(text(get()), "first");
  EXPECT_EQ(swap(1, "second"), 2u);
  EXPECT_EQ(get().version, 2u);
  EXPECT_EQ(text(get()), "second");
}

TEST_P(StoreTest, LetsOneOfTwoConcurrentSwapsWin) {
  auto first = store->compareAndSwap(0, bytes("first"));
  auto second = store->compareAndSwap(0, bytes("second"));
  EXPECT_TRUE(first.wait(io.waitScope) != nullptr);
  EXPECT_TRUE(second.wait(io.waitScope) == nullptr);
  EXPECT_EQ(text(get()), "first");
}

TEST_P(StoreTest, TellsWatchersOfChanges) {
  auto waiting = store->watch(0);
  auto patient = store->watch(1);
  EXPECT_FALSE(waiting.poll(io.waitScope));
  swap(0, "first");
  EXPECT_EQ(text(waiting.wait(io.waitScope)), "first");
  EXPECT_EQ(text(store->watch(0).wait(io.waitScope)), "first");
  EXPECT_FALSE(patient.poll(io.waitScope));
  swap(1, "second");
  EXPECT_EQ(patient.wait(io.waitScope).version, 2u);
}

class EmbeddedStoreTest: public ::testing::Test {
protected:
  ~EmbeddedStoreTest() noexcept override = default;

  kj::AsyncIoContext io = kj::setupAsyncIo();
  TemporaryDirectory directory;

  void store(kj::StringPtr document) {
    EmbeddedStore store(directory.path().c_str());
    auto version = store.get().wait(io.waitScope).version;
    KJ_ASSERT_NONNULL(store.compareAndSwap(version, bytes(document)).wait(io.waitScope));
  }
  std::string openError() {
    return errorOf([this]() { EmbeddedStore store(directory.path().c_str()); });
  }
  // Changes the value in RocksDB directly.
  void edit(kj::Function<void(std::string& value)> change) {
    rocksdb::DB* opened = nullptr;
    KJ_ASSERT(rocksdb::DB::Open({}, directory.path(), &opened).ok());
    std::unique_ptr<rocksdb::DB> db(opened);
    std::string value;
    KJ_ASSERT(db->Get({}, "document", &value).ok());
    change(value);
    KJ_ASSERT(db->Put({}, "document", value).ok());
  }
};

TEST_F(EmbeddedStoreTest, SurvivesReopening) {
  store("first");
  store("second");
  EmbeddedStore reopened(directory.path().c_str());
  auto stored = reopened.get().wait(io.waitScope);
  EXPECT_EQ(stored.version, 2u);
  EXPECT_EQ(text(stored), "second");
}

TEST_F(EmbeddedStoreTest, NamesADamagedDocument) {
  store("precious");
  edit([](std::string& value) { value[value.size() - 1] ^= 1; });
  EXPECT_THAT(openError(), AllOf(HasSubstr(directory.path()), HasSubstr("wrong checksum")));
}

TEST_F(EmbeddedStoreTest, NamesADamagedVersion) {
  store("precious");
  edit([](std::string& value) { value[16] ^= 1; });
  EXPECT_THAT(openError(), HasSubstr("wrong checksum"));
}

TEST_F(EmbeddedStoreTest, NamesAnUnknownFormatAndACutOffDocument) {
  store("precious");
  edit([](std::string& value) { value[7] = '9'; });
  EXPECT_THAT(openError(), HasSubstr("no format that this version"));
  edit([](std::string& value) { value.resize(10); });
  EXPECT_THAT(openError(), HasSubstr("only 10 bytes"));
}

TEST_F(EmbeddedStoreTest, RefusesALogThatIsDamagedInTheMiddle) {
  {
    EmbeddedStore store(directory.path().c_str());
    for (std::uint64_t i = 0; i < 10; ++i) {
      store.compareAndSwap(i, bytes("a document")).wait(io.waitScope);
    }
  }
  unsigned damaged = 0;
  for (auto& entry: std::filesystem::directory_iterator(directory.path())) {
    if (entry.path().extension() != ".log" || entry.file_size() == 0) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(entry.file_size() / 2));
    file.write("\xff\xfe", 2);
    ++damaged;
  }
  ASSERT_EQ(damaged, 1u);
  // It must not be opened with an older document.
  EXPECT_THAT(openError(), AllOf(HasSubstr(directory.path()), HasSubstr("damaged")));
}

// As after a loss of power during a write that was not reported.
TEST_F(EmbeddedStoreTest, DropsARecordThatWasNotWrittenToItsEnd) {
  auto durable = directory.path() + "/durable-document";
  auto before = directory.path() + "/before";
  {
    EmbeddedStore store(directory.path().c_str());
    store.compareAndSwap(0, bytes("first")).wait(io.waitScope);
    std::filesystem::copy_file(durable, before);
    store.compareAndSwap(1, bytes("second")).wait(io.waitScope);
  }
  for (auto& entry: std::filesystem::directory_iterator(directory.path())) {
    if (entry.path().extension() != ".log") continue;
    std::filesystem::resize_file(entry.path(), entry.file_size() - 3);
  }
  // It had been reported.
  EXPECT_THAT(openError(), AllOf(HasSubstr("version 2 of the document was stored"),
                                 HasSubstr("ends with 1"), HasSubstr("--rebuild")));
  std::filesystem::rename(before, durable);
  EmbeddedStore store(directory.path().c_str());
  EXPECT_EQ(text(store.get().wait(io.waitScope)), "first");
}

TEST_F(EmbeddedStoreTest, RefusesADirectoryInUse) {
  EmbeddedStore first(directory.path().c_str());
  EXPECT_THAT(openError(),
              AllOf(HasSubstr(directory.path()), HasSubstr("is in use by another gavel-master")));
}

TEST_F(EmbeddedStoreTest, MakesMissingDirectories) {
  auto path = directory.path() + "/a/b";
  EmbeddedStore store(path.c_str());
  EXPECT_TRUE(std::filesystem::is_directory(path));
}

TEST_F(EmbeddedStoreTest, RefusesWhatIsNoDirectory) {
  auto path = directory.path() + "/file";
  std::ofstream(path) << "x";
  auto error = errorOf([&]() { EmbeddedStore store(path.c_str()); });
  EXPECT_THAT(error, AllOf(HasSubstr(path), HasSubstr("--data")));
}

TEST_F(EmbeddedStoreTest, RefusesADirectoryItCannotMake) {
  auto error = errorOf([&]() { EmbeddedStore store("/proc/gavel"); });
  EXPECT_THAT(error, AllOf(HasSubstr("/proc/gavel"), HasSubstr("cannot make")));
}

class LedgerTest: public ::testing::Test {
protected:
  ~LedgerTest() noexcept override = default;

  kj::EventLoop loop;
  kj::WaitScope waitScope{loop};
  MemoryConfigStore store;

  static Configuration configuration(std::uint64_t epoch, std::string cause) {
    return {77, epoch, {{"n1", "a:1", 101, 201, true}}, 0, std::move(cause)};
  }
};

TEST_F(LedgerTest, AdoptsWhatAnotherMasterHasStoredFirst) {
  auto mine = Ledger::open(store).wait(waitScope);
  auto other = Ledger::open(store).wait(waitScope);
  other->replace(other->document().with(configuration(1, "other's"))).wait(waitScope);
  mine->replace(mine->document().with(configuration(1, "mine"))).wait(waitScope);
  EXPECT_EQ(mine->current().cause, "other's");
  mine->replace(mine->document().with(configuration(2, "mine"))).wait(waitScope);
  EXPECT_EQ(mine->current().cause, "mine");
}

TEST_F(LedgerTest, FollowsOtherMasters) {
  auto mine = Ledger::open(store).wait(waitScope);
  auto other = Ledger::open(store).wait(waitScope);
  unsigned changes = 0;
  auto following = mine->follow([&]() { ++changes; });
  other->replace(other->document().with(configuration(1, "other's"))).wait(waitScope);
  EXPECT_FALSE(following.poll(waitScope));
  EXPECT_EQ(changes, 1u);
  EXPECT_EQ(mine->current().cause, "other's");
  mine->replace(mine->document().with(configuration(2, "mine"))).wait(waitScope);
  EXPECT_FALSE(following.poll(waitScope));
  EXPECT_EQ(changes, 1u);  // Its own swap is no news to it.
}

// The simulation found this: stores that are reached over a network may answer out of order.
class LateWatches final: public ConfigStore {
public:
  explicit LateWatches(ConfigStore& inner): inner(inner) {}

  kj::Promise<Stored> get() override { return inner.get(); }
  kj::Promise<kj::Maybe<std::uint64_t>> compareAndSwap(
      std::uint64_t expected, kj::Array<const kj::byte> document) override {
    return inner.compareAndSwap(expected, kj::mv(document));
  }
  kj::Promise<Stored> watch(std::uint64_t version) override {
    return inner.watch(version).then([this](Stored&& stored) {
      auto paf = kj::newPromiseAndFulfiller<void>();
      arrive = kj::mv(paf.fulfiller);
      return paf.promise.then([stored = kj::mv(stored)]() mutable { return kj::mv(stored); });
    });
  }
  kj::Promise<void> putNote(kj::Array<const kj::byte> note) override {
    return inner.putNote(kj::mv(note));
  }
  kj::Promise<kj::Array<const kj::byte>> getNote() override { return inner.getNote(); }

  kj::Own<kj::PromiseFulfiller<void>> arrive;  // The answer to the watch that was answered last.

private:
  ConfigStore& inner;
};

TEST_F(LedgerTest, PassesOverAnAnswerThatComesAfterANewerOne) {
  LateWatches late(store);
  auto mine = Ledger::open(late).wait(waitScope);
  auto other = Ledger::open(store).wait(waitScope);
  unsigned changes = 0;
  auto following = mine->follow([&]() { ++changes; });
  other->replace(other->document().with(configuration(1, "other's"))).wait(waitScope);
  EXPECT_FALSE(following.poll(waitScope));
  auto first = kj::mv(late.arrive);
  mine->replace(mine->document().with(configuration(1, "mine"))).wait(waitScope);
  mine->replace(mine->document().with(configuration(2, "mine"))).wait(waitScope);
  first->fulfill();
  EXPECT_FALSE(following.poll(waitScope));
  EXPECT_EQ(mine->current().cause, "mine");
  EXPECT_EQ(changes, 0u);  // replace() has reported it.
}

TEST_F(LedgerTest, RefusesToGoOnFromAnotherHistory) {
  auto mine = Ledger::open(store).wait(waitScope);
  mine->replace(mine->document().with(configuration(1, "mine"))).wait(waitScope);
  Document other = Document().with(configuration(1, "another first epoch"));
  store.compareAndSwap(1, other.encode()).wait(waitScope);
  auto following = mine->follow([]() {});
  EXPECT_THAT(errorOf([&]() { following.wait(waitScope); }), HasSubstr("another configuration"));
}

}  // namespace
}  // namespace gavel::master
