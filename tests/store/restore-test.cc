#include "store/restore.h"

#include <filesystem>
#include <fstream>
#include <functional>

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gmock/gmock.h>

#include "chain/header.h"
#include "schema/snapshot.capnp.h"
#include "store/snapshot-parts.h"
#include "tests/store/store-fixture.h"

namespace gavel {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

// The messages of a backup, to be changed before they are written.
using Message = kj::Own<capnp::MallocMessageBuilder>;

class RestoreTest: public StoreFixture {
protected:
  ~RestoreTest() noexcept override = default;

  Auctioneer auctioneer;
  gavel::testing::TemporaryDirectory backup;
  gavel::testing::TemporaryDirectory fresh;
  std::string target = fresh.path() + "/data";
  std::string file = backup.path() + "/snapshot";

  void SetUp() override {
    auto store = open();
    append(*store, auctioneer, 100, 100);
    checkpoint(*store, auctioneer);
    auto reader = store->openSnapshot();
    auto header = kj::heap<capnp::MallocMessageBuilder>();
    auto start = header->initRoot<schema::SnapshotPart>().initHeader();
    start.setClusterId(77);
    start.setStamp(123);
    writePosition(reader->position(), start.initPosition());
    messages.push_back(kj::mv(header));
    std::uint64_t parts = 0, last = 0;
    for (auto& part: readSnapshot(*reader)) {
      auto message = kj::heap<capnp::MallocMessageBuilder>();
      auto records = message->initRoot<schema::SnapshotPart>().initRecords();
      records.setData(part);
      records.setChecksum(last = partChecksum(part, last));
      ++parts;
      messages.push_back(kj::mv(message));
    }
    auto message = kj::heap<capnp::MallocMessageBuilder>();
    auto end = message->initRoot<schema::SnapshotPart>().initEnd();
    end.setParts(parts);
    end.setChecksum(last);
    messages.push_back(kj::mv(message));
    ASSERT_GT(messages.size(), 4u);
    write();
  }
  void write() {
    std::ofstream out(file, std::ios::binary);
    for (auto& message: messages) {
      auto words = capnp::messageToFlatArray(*message);
      out.write(words.asChars().begin(), static_cast<std::streamsize>(words.asChars().size()));
    }
  }
  Restored restore() { return wait(restoreBackup(backup.path().c_str(), target.c_str(), random)); }
  std::string restoreError() {
    return errorOf([&]() { restore(); });
  }
  kj::Own<RocksStore> openTarget() {
    return kj::heap<RocksStore>(target.c_str(), RocksStoreOptions(), random);
  }

  std::vector<Message> messages;
};

TEST_F(RestoreTest, BringsBackAllThatWasThere) {
  auto restored = restore();
  EXPECT_EQ(restored.cluster, 77u);
  EXPECT_EQ(restored.stamp, 123);
  EXPECT_EQ(restored.parts, messages.size() - 2);
  EXPECT_EQ(restored.position, (Position{0, auctioneer.end.index, auctioneer.end.checksum}));
  auto store = openTarget();
  EXPECT_EQ(store->recovered().damage, "");
  EXPECT_FALSE(store->recovered().empty);
  EXPECT_EQ(store->recovered().configuration.clusterId, 0u);
  auto image = wait(store->load());
  EXPECT_EQ(image.end(), restored.position);
  EXPECT_EQ(image.state.hash(), auctioneer.reference.hash());
  expectCheckpoint(*store, auctioneer.reference);
  // The log of the new cluster continues there.
  auctioneer.end = restored.position;
  append(*store, auctioneer, 3);
  expectAll(*store, auctioneer);
}

TEST_F(RestoreTest, TellsThatTheChainDidNotConfirmIt) {
  EXPECT_FALSE(restore().unconfirmed);
  fs::remove_all(target);
  auto header = messages[0]->getRoot<schema::SnapshotPart>().getHeader();
  header.setUnconfirmed(true);
  header.setCommitted(42);
  write();
  auto restored = restore();
  EXPECT_TRUE(restored.unconfirmed);
  EXPECT_EQ(restored.committed, 42u);
}

TEST_F(RestoreTest, RefusesADirectoryThatIsNotEmpty) {
  restore();
  EXPECT_THAT(restoreError(), AllOf(HasSubstr("is not empty"), HasSubstr(target)));
  openTarget();
}

TEST_F(RestoreTest, RefusesWhatIsNoBackup) {
  fs::remove(file);
  EXPECT_THAT(restoreError(), AllOf(HasSubstr("cannot read the backup"), HasSubstr(file)));
  EXPECT_FALSE(fs::exists(target));
  std::ofstream(file) << "";
  EXPECT_THAT(restoreError(), AllOf(HasSubstr("part 0 is missing"), HasSubstr(file)));
  std::ofstream(file) << std::string(100'000, 'x');
  EXPECT_THAT(restoreError(), HasSubstr("part 0 cannot be read"));
  EXPECT_FALSE(fs::exists(target)) << "nothing has been made yet";
  messages[0]->getRoot<schema::SnapshotPart>().getHeader().setFormatVersion(9);
  write();
  EXPECT_THAT(restoreError(), AllOf(HasSubstr("format 9"), HasSubstr("only 1")));
}

TEST_F(RestoreTest, RefusesDamageNamingThePart) {
  struct Case {
    std::string expected;
    std::function<void()> change;
  };
  auto contents = [&]() {
    std::ifstream in(file, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }();
  auto last = std::to_string(messages.size() - 1);
  const std::vector<Case> cases = {
      {"part 2 has a wrong checksum",
       [&]() {
         auto data = messages[2]->getRoot<schema::SnapshotPart>().getRecords().getData();
         data[data.size() / 2] ^= 8;
         write();
         data[data.size() / 2] ^= 8;
       }},
      {"part 2 has a wrong checksum, or a part before it is missing",
       [&]() {
         auto missing = kj::mv(messages[2]);
         messages.erase(messages.begin() + 2);
         write();
         messages.insert(messages.begin() + 2, kj::mv(missing));
       }},
      {"part " + last + " is missing",
       [&]() {
         auto missing = kj::mv(messages.back());
         messages.pop_back();
         write();
         messages.push_back(kj::mv(missing));
       }},
      {"is the end of 1 parts",
       [&]() {
         auto end = messages.back()->getRoot<schema::SnapshotPart>().getEnd();
         auto parts = end.getParts();
         end.setParts(1);
         write();
         end.setParts(parts);
       }},
      {"cannot be read",
       [&]() { std::ofstream(file, std::ios::binary) << contents.substr(0, contents.size() / 2); }},
      {"something follows it", [&]() { std::ofstream(file, std::ios::binary) << contents << "x"; }},
      {"as of index",
       [&]() {
         auto at = messages[0]->getRoot<schema::SnapshotPart>().getHeader().getPosition();
         at.setIndex(at.getIndex() + 1);
         write();
         at.setIndex(at.getIndex() - 1);
       }},
  };
  for (auto& one: cases) {
    one.change();
    auto error = restoreError();
    EXPECT_THAT(error, HasSubstr(one.expected));
    {
      auto store = openTarget();
      EXPECT_THAT(store->recovered().damage, HasSubstr("from a backup, is incomplete"));
      EXPECT_TRUE(store->recovered().empty);
    }
    EXPECT_THAT(restoreError(), HasSubstr("interrupted"));
    fs::remove_all(target);
  }
  write();
  EXPECT_EQ(restoreError(), "");
}

}  // namespace
}  // namespace gavel
