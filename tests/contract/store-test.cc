#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auction/records.h"
#include "tests/contract/hosts.h"
#include "tests/store/auctioneer.h"
#include "tests/support/entries.h"

// The contract of store/store.h, checked for each store.  So the simulation trusts only what the
// disk does.
namespace gavel::contract {
namespace {

template <typename Host>
class StoreContract: public ::testing::Test {
protected:
  ~StoreContract() noexcept override = default;

  Host host;
  Auctioneer auctioneer;

  // -- actions

  template <typename Function>
  auto value(Function function) {
    auto result = host.call(kj::mv(function));
    KJ_REQUIRE(result.value.has_value(), result.error.c_str());
    return kj::mv(*result.value);
  }
  template <typename Function>
  std::string errorOf(Function function) {
    return host.call(kj::mv(function)).error;
  }
  void give(BatchPtr batch) {
    host.act([&](Store& store) { store.append(batch); });
  }
  void awaitDurable(std::uint64_t index) {
    for (std::uint64_t durable = 0; durable < index;) {
      durable = value([durable](Store& store) { return store.durableAbove(durable); });
    }
  }
  void append(unsigned batches, unsigned size = 5) {
    for (unsigned i = 0; i < batches; ++i) give(auctioneer.next(size));
    awaitDurable(auctioneer.end.index);
  }
  void checkpoint() {
    auto changes = auctioneer.state.capture();
    auto at = auctioneer.end;
    value([&](Store& store) { return store.checkpoint(at, auction::Changes(changes)); });
    auctioneer.state.release(changes);
  }
  void cut(const Position& to) {
    value([to](Store& store) { return store.cut(to); });
  }
  Image load() {
    return value([](Store& store) { return store.load(); });
  }
  std::vector<BatchPtr> readLog(std::uint64_t after, std::size_t bytes = 1 << 20) {
    return value([=](Store& store) { return store.readLog(after, bytes); });
  }
  Position lastWithin(const Position& limit) {
    auto found = value([limit](Store& store) { return store.lastWithin(limit); });
    KJ_IF_MAYBE (position, found) {
      return *position;
    }
    return {999, 999, 999};
  }
  kj::Own<SnapshotReader> snapshot() {
    kj::Own<SnapshotReader> reader;
    host.act([&](Store& store) { reader = store.openSnapshot(); });
    return reader;
  }
  std::vector<std::string> read(SnapshotReader& reader) {
    std::vector<std::string> parts;
    for (;;) {
      auto part = value([&](Store&) { return reader.next(); });
      if (part.size() == 0) return parts;
      parts.emplace_back(part.asChars().begin(), part.size());
    }
  }
  void beginInstall() {
    value([](Store& store) { return store.beginInstall(); });
  }
  void install(const std::string& part) {
    value([&](Store& store) {
      return store.install(kj::heapArray(kj::StringPtr(part.c_str(), part.size()).asBytes()));
    });
  }
  void finishInstall(const Position& at) {
    value([at](Store& store) { return store.finishInstall(at); });
  }

  // -- expectations

  // Expects all that `expected` made, up to its end.
  void expectAll(const Auctioneer& expected) {
    auto image = load();
    EXPECT_EQ(image.end().index, expected.end.index);
    EXPECT_TRUE(image.end() == expected.end);
    for (auto& batch: image.log) {
      batch->forEach([&](const auction::Entry& entry) { image.state.apply(entry); });
    }
    EXPECT_EQ(image.state.hash(), expected.reference.hash());
  }
  // Expects all that is in the checkpoint and not in memory.
  void expectCheckpoint(const auction::State& reference) {
    auto all = reference.listAuctions(0, 1'000'000);
    auto stored = value([](Store& store) { return store.auctions(0, 1'000'000); });
    ASSERT_EQ(stored.size(), all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      auto& expected = *all[i];
      EXPECT_EQ(stored[i].name, expected.name);
      EXPECT_EQ(stored[i].phase, expected.phase);
      EXPECT_EQ(stored[i].historyDigest, expected.historyDigest);
      auto apart = stored[i].versionsApart();
      auto versions = value([&](Store& store) { return store.history(expected.id, 1, apart); });
      ASSERT_EQ(versions.size(), apart);
      for (std::size_t v = 0; v < versions.size(); ++v) {
        EXPECT_EQ(versions[v].index, expected.history[v].index);
        EXPECT_EQ(versions[v].amount, expected.history[v].amount);
      }
      bool over = expected.phase != auction::Auction::Phase::open;
      EXPECT_EQ(host.store().ended().find(expected.name).has_value(), over) << expected.name;
    }
  }
};

using Hosts = ::testing::Types<MemoryHost, SimulatedHost, RocksHost>;
struct NameOfHost {
  template <typename Host>
  static std::string GetName(int) {
    std::string name = Host::NAME;
    std::replace(name.begin(), name.end(), ':', '_');
    return name;
  }
};
TYPED_TEST_SUITE(StoreContract, Hosts, NameOfHost);

TYPED_TEST(StoreContract, IsEmptyAtFirst) {
  auto& recovered = this->host.store().recovered();
  EXPECT_NE(recovered.storeId, 0u);
  EXPECT_EQ(recovered.generation, 1u);
  EXPECT_EQ(recovered.configuration.epoch, 0u);
  EXPECT_TRUE(recovered.empty);
  EXPECT_FALSE(recovered.unsynced);
  EXPECT_EQ(recovered.damage, "");
  auto image = this->load();
  EXPECT_TRUE(image.end() == Position());
  EXPECT_EQ(image.state.lastIndex(), 0u);
  EXPECT_TRUE(this->host.store().logStart() == Position());
  EXPECT_TRUE(this->readLog(0).empty());
}

TYPED_TEST(StoreContract, TellsTheDurableIndexOnceItIsAboveWhatIsKnown) {
  this->give(this->auctioneer.next(3));
  this->awaitDurable(3);
  auto above = [](std::uint64_t index) {
    return [index](Store& store) { return store.durableAbove(index); };
  };
  Result<std::uint64_t> next;
  {
    auto waiting = this->host.start(above(3), next);
    this->host.poll();
    EXPECT_FALSE(next.done());
    this->give(this->auctioneer.next(2));
    this->awaitDurable(5);
  }
  EXPECT_EQ(this->value(above(0)), 5u) << "all of it";
}

// However a process ends, the next one has what was reported durable, and counts itself.
TYPED_TEST(StoreContract, KeepsWhatWasToldDurable) {
  auto id = this->host.store().recovered().storeId;
  std::uint64_t generation = 1;
  for (auto ending:
       {Ending::inOrder, Ending::killed, Ending::power, Ending::killed, Ending::power}) {
    this->append(3);
    auto epoch = ++generation;
    this->value([epoch](Store& store) { return store.saveConfiguration(configurationOf(epoch)); });
    this->host.restart(ending);
    auto& recovered = this->host.store().recovered();
    EXPECT_EQ(recovered.storeId, id);
    EXPECT_EQ(recovered.generation, generation);
    EXPECT_EQ(recovered.configuration, configurationOf(epoch));
    EXPECT_FALSE(recovered.empty);
    EXPECT_EQ(recovered.damage, "");
    this->expectAll(this->auctioneer);
  }
}

// R2: what a killed process has left unsynced is durable once the next one has reported it.
TYPED_TEST(StoreContract, MakesDurableWhatAKilledProcessHasLeft) {
  this->append(2);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 3; ++i) this->give(this->auctioneer.next(2));
    this->host.restart(Ending::killed);
    auto told = this->load().end();
    EXPECT_GE(this->value([](Store& store) { return store.durableAbove(0); }), told.index);
    this->host.restart(Ending::power);
    EXPECT_EQ(this->host.store().recovered().damage, "");
    ASSERT_TRUE(this->load().end() == told) << told.index;
    // The last entries may be lost, since nobody was told of them.
    Auctioneer shorter;
    for (auto& batch: this->auctioneer.log) {
      if (batch->lastIndex() > told.index) break;
      shorter.next(batch->lastIndex() - batch->previous().index);
    }
    this->auctioneer = kj::mv(shorter);
    this->expectAll(this->auctioneer);
  }
}

TYPED_TEST(StoreContract, SavesAConfigurationWithAllThatCameBeforeIt) {
  this->give(this->auctioneer.next(4));
  this->value([](Store& store) { return store.saveConfiguration(configurationOf(3)); });
  this->host.restart(Ending::power);
  EXPECT_EQ(this->host.store().recovered().configuration, configurationOf(3));
  this->expectAll(this->auctioneer);
}

// R3: a promise to a rebuilt master outlives the process, and an installed snapshot.
TYPED_TEST(StoreContract, KeepsAPromise) {
  EXPECT_EQ(this->host.store().recovered().promised, RebuildPromise());
  this->value([](Store& store) { return store.saveConfiguration(configurationOf(3)); });
  for (auto ending: {Ending::killed, Ending::power}) {
    RebuildPromise promise{(1u << 20) + static_cast<unsigned>(ending), 77};
    this->value([promise](Store& store) { return store.savePromise(promise); });
    this->host.restart(ending);
    EXPECT_EQ(this->host.store().recovered().promised, promise);
    EXPECT_EQ(this->host.store().recovered().configuration, configurationOf(3));
  }
  this->value([](Store& store) { return store.beginInstall(); });
  this->host.restart(Ending::power);
  EXPECT_EQ(this->host.store().recovered().promised.reign, 77u);
}

TYPED_TEST(StoreContract, RefusesABatchThatDoesNotFollow) {
  this->auctioneer.next(3);
  auto batch = this->auctioneer.next(1);
  EXPECT_NE(this->errorOf([batch](Store& store) -> kj::Promise<void> {
    store.append(batch);
    return kj::READY_NOW;
  }),
            "");
}

TYPED_TEST(StoreContract, CutsTheLogForGood) {
  this->append(5);
  Auctioneer other;
  for (int i = 0; i < 3; ++i) other.next(5);
  this->cut(other.end);
  EXPECT_EQ(this->value([](Store& store) { return store.durableAbove(0); }), other.end.index)
      << "of what was cut nothing is told any more";
  this->host.restart(Ending::power);
  EXPECT_EQ(this->host.store().recovered().damage, "");
  this->expectAll(other);
  other.epoch = 2;
  this->give(other.next(4));
  this->awaitDurable(other.end.index);
  this->expectAll(other);
  this->host.restart(Ending::power);
  this->expectAll(other);
  this->cut({});
  this->host.restart(Ending::power);
  EXPECT_TRUE(this->load().end() == Position());
}

TYPED_TEST(StoreContract, ACutFollowsWhatIsQueuedAndHidesItAtOnce) {
  for (int i = 0; i < 10; ++i) this->give(this->auctioneer.next(2));
  auto to = this->auctioneer.log[0]->end();
  Result<Nothing> done;
  auto cutting = this->host.start([to](Store& store) { return store.cut(to); }, done);
  EXPECT_EQ(this->value([](Store& store) { return store.durableAbove(0); }), to.index);
  this->host.poll();
  this->value([](Store& store) { return store.saveConfiguration(configurationOf(1)); });
  this->host.poll();
  EXPECT_EQ(done.error, "");
  EXPECT_TRUE(done.done());
  EXPECT_EQ(this->readLog(0).size(), 1u);
}

TYPED_TEST(StoreContract, CutsNeitherWithinABatchNorBeforeTheCheckpoint) {
  this->append(4);
  this->checkpoint();
  this->append(4);
  auto inside = this->auctioneer.log[5]->end();
  inside.index -= 1;
  EXPECT_NE(this->errorOf([=](Store& store) { return store.cut(inside); }), "");
  auto before = this->auctioneer.log[2]->end();
  EXPECT_NE(this->errorOf([=](Store& store) { return store.cut(before); }), "");
  this->cut(this->auctioneer.log[3]->end());
  EXPECT_EQ(this->load().end().index, 20u);
}

TYPED_TEST(StoreContract, ReadsTheLogInPieces) {
  this->append(20);
  std::uint64_t after = 0;
  unsigned pieces = 0;
  for (;; ++pieces) {
    auto batches = this->readLog(after, 2000);
    if (batches.empty()) break;
    std::size_t bytes = 0;
    for (auto& batch: batches) {
      EXPECT_EQ(batch->previous().index, after);
      after = batch->lastIndex();
      bytes += batch->bytes().size();
    }
    EXPECT_TRUE(bytes <= 2000 || batches.size() == 1);
  }
  EXPECT_EQ(after, this->auctioneer.end.index);
  EXPECT_GT(pieces, 3u);
  EXPECT_EQ(this->readLog(0, 0).size(), 1u) << "at least one";
  EXPECT_NE(this->errorOf([](Store& store) { return store.readLog(3, 1000); }), "");
}

TYPED_TEST(StoreContract, FindsTheLastPositionWithinALimit) {
  std::vector<Position> ends;
  for (std::uint64_t epoch: {1, 1, 3, 3, 6}) {
    this->auctioneer.epoch = epoch;
    this->give(this->auctioneer.next(10));
    ends.push_back(this->auctioneer.end);
  }
  this->awaitDurable(50);
  EXPECT_TRUE(this->lastWithin({9, 1000, 0}) == ends[4]);
  EXPECT_TRUE(this->lastWithin({6, 49, 0}) == ends[3]);
  EXPECT_TRUE(this->lastWithin({5, 1000, 0}) == ends[3]);
  EXPECT_TRUE(this->lastWithin({2, 1000, 0}) == ends[1]);
  EXPECT_TRUE(this->lastWithin({2, 10, 0}) == ends[0]);
  EXPECT_TRUE(this->lastWithin({2, 9, 0}) == Position());
  EXPECT_TRUE(this->lastWithin({0, 1000, 0}) == Position());
}

TYPED_TEST(StoreContract, CheckpointsAddUpToTheState) {
  for (int round = 0; round < 4; ++round) {
    this->append(8);
    this->checkpoint();
    this->expectCheckpoint(this->auctioneer.reference);
    this->append(2);
    this->expectAll(this->auctioneer);
    this->host.restart(round % 2 == 0 ? Ending::killed : Ending::inOrder);
    EXPECT_EQ(this->host.store().recovered().damage, "");
    this->expectAll(this->auctioneer);
    this->auctioneer.state = this->load().state;
    for (std::size_t i = this->auctioneer.log.size() - 2; i < this->auctioneer.log.size(); ++i) {
      this->auctioneer.log[i]->forEach(
          [&](const auction::Entry& entry) { this->auctioneer.state.apply(entry); });
    }
  }
}

// A checkpoint need not be durable.  If it is lost, the log still has all that it had.
TYPED_TEST(StoreContract, ACheckpointThatIsLostCostsNothing) {
  for (int round = 0; round < 5; ++round) {
    this->append(10);
    this->checkpoint();
    this->host.restart(Ending::power);
    EXPECT_EQ(this->host.store().recovered().damage, "");
    this->expectAll(this->auctioneer);
    auto image = this->load();
    for (auto& batch: image.log) {
      batch->forEach([&](const auction::Entry& entry) { image.state.apply(entry); });
    }
    this->auctioneer.state = kj::mv(image.state);
  }
}

TYPED_TEST(StoreContract, RefusesACheckpointWhereNoBatchEnds) {
  this->append(3);
  auto changes = this->auctioneer.state.capture();
  auto at = this->auctioneer.end;
  at.checksum += 1;
  EXPECT_NE(
      this->errorOf([&](Store& store) { return store.checkpoint(at, auction::Changes(changes)); }),
      "");
}

TYPED_TEST(StoreContract, TruncatesTheLogBeforeTheWindowButNotBeforeASnapshotThatIsRead) {
  this->append(40);
  this->checkpoint();
  auto reader = this->snapshot();
  auto from = reader->position();
  EXPECT_TRUE(from == this->auctioneer.end);
  this->append(40);
  this->checkpoint();
  auto start = this->host.store().logStart();
  EXPECT_GT(start.index, 0u);
  EXPECT_LE(start.index, from.index);
  auto early = this->host.call([](Store& store) { return store.readLog(0, 1000); });
  EXPECT_TRUE(early.overloaded) << early.error;
  EXPECT_EQ(this->readLog(from.index).size(), 40u);
  reader = nullptr;
  this->append(40);
  this->checkpoint();
  EXPECT_GT(this->host.store().logStart().index, from.index);
  this->expectAll(this->auctioneer);
}

TYPED_TEST(StoreContract, ASnapshotStaysAsItWas) {
  this->append(30);
  this->checkpoint();
  auto reader = this->snapshot();
  auto at = reader->position();
  auto hash = this->auctioneer.reference.hash();
  this->append(10);
  this->checkpoint();
  EXPECT_TRUE(reader->position() == at);
  auction::Loader loader;
  for (auto& part: this->read(*reader)) {
    auction::RecordReader records(part);
    while (auto record = records.next()) {
      ASSERT_TRUE(record->value.has_value());
      loader.add(record->key, *record->value);
    }
  }
  EXPECT_EQ(loader.finish(this->host.store().ended()).hash(), hash);
}

TYPED_TEST(StoreContract, AnInstallTakesThePlaceOfAllThatWasThere) {
  this->append(10);
  this->checkpoint();
  auto reader = this->snapshot();
  auto at = reader->position();
  auto parts = this->read(*reader);
  reader = nullptr;
  auto hash = this->auctioneer.reference.hash();
  this->append(10);
  this->checkpoint();
  this->beginInstall();
  for (auto& part: parts) this->install(part);
  this->finishInstall(at);
  for (auto ending: {Ending::killed, Ending::power}) {
    auto image = this->load();
    EXPECT_TRUE(image.checkpoint == at);
    EXPECT_TRUE(image.end() == at);
    EXPECT_EQ(image.state.hash(), hash);
    EXPECT_TRUE(this->host.store().logStart() == at);
    this->host.restart(ending);
    EXPECT_EQ(this->host.store().recovered().damage, "");
  }
  EXPECT_EQ(this->value([](Store& store) { return store.durableAbove(0); }), at.index);
}

TYPED_TEST(StoreContract, AnUnfinishedInstallLeavesADamagedAndEmptyStore) {
  this->append(10);
  this->checkpoint();
  auto reader = this->snapshot();
  auto at = reader->position();
  auto parts = this->read(*reader);
  reader = nullptr;
  for (auto ending: {Ending::killed, Ending::power}) {
    this->beginInstall();
    this->install(parts.front());
    this->host.restart(ending);
    EXPECT_NE(this->host.store().recovered().damage, "");
    EXPECT_TRUE(this->load().end() == Position());
    EXPECT_EQ(this->load().state.lastIndex(), 0u);
  }
  // It can be installed again, from the beginning.
  this->beginInstall();
  for (auto& part: parts) this->install(part);
  this->finishInstall(at);
  this->host.restart(Ending::power);
  EXPECT_EQ(this->host.store().recovered().damage, "");
  EXPECT_TRUE(this->load().end() == at);
}

TYPED_TEST(StoreContract, AnInstallCanBeGivenUpForTheLog) {
  this->append(3);
  this->beginInstall();
  this->host.restart(Ending::killed);
  EXPECT_NE(this->host.store().recovered().damage, "");
  this->cut({});
  this->host.restart(Ending::power);
  EXPECT_EQ(this->host.store().recovered().damage, "");
  for (auto& batch: this->auctioneer.log) this->give(batch);
  this->awaitDurable(this->auctioneer.end.index);
  this->expectAll(this->auctioneer);
}

TYPED_TEST(StoreContract, FinishesNoSnapshotThatIsNotSound) {
  this->append(10);
  this->checkpoint();
  auto reader = this->snapshot();
  auto at = reader->position();
  auto parts = this->read(*reader);
  reader = nullptr;
  this->beginInstall();
  for (auto& part: parts) this->install(part);
  at.index += 1;
  EXPECT_NE(this->errorOf([at](Store& store) { return store.finishInstall(at); }), "");
  this->host.restart(Ending::killed);
  EXPECT_NE(this->host.store().recovered().damage, "");
}

}  // namespace
}  // namespace gavel::contract
