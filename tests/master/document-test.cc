#include "master/document.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

namespace gavel::master {
namespace {

Configuration configuration(std::uint64_t epoch, std::uint64_t clusterId = 77) {
  return {clusterId,
          epoch,
          {{"n1", "a:1", 101, 201, true}, {"n2", "b:2", 102, 202, false}},
          1'700'000'000'000'000'000,
          "cause"};
}

Document document(std::uint64_t epochs) {
  Document result;
  for (std::uint64_t epoch = 1; epoch <= epochs; ++epoch)
    result = result.with(configuration(epoch));
  return result;
}

TEST(Document, SurvivesEncoding) {
  auto before = document(3);
  before.relinks[1].duration = 12'345'678;
  EXPECT_EQ(Document::decode(before.encode()), before);
  EXPECT_EQ(before.current().epoch, 3u);
}

TEST(Document, IsEmptyBeforeTheFirst) {
  EXPECT_EQ(Document::decode(nullptr), Document());
  EXPECT_EQ(Document().current().epoch, 0u);
}

TEST(Document, KeepsTheNewest64) {
  auto last = document(200);
  EXPECT_EQ(last.relinks.size(), 64u);
  EXPECT_EQ(last.relinks.front().configuration.epoch, 137u);
  EXPECT_EQ(last.current().epoch, 200u);
  EXPECT_EQ(Document::decode(last.encode()), last);
}

TEST(Document, TakesOnlyTheNextEpoch) {
  EXPECT_ANY_THROW(document(2).with(configuration(2)));
  EXPECT_ANY_THROW(document(2).with(configuration(4)));
}

TEST(Document, RemembersStoresAndDrainedNodes) {
  auto before = document(2);
  before.remember({201, 1, 101});
  before.remember({202, 4, 102});
  before.remember({201, 2, 111});
  before.drained = {"n3", "n4"};
  EXPECT_EQ(Document::decode(before.encode()), before);
  EXPECT_EQ(before.stores.size(), 2u);
  ASSERT_NE(before.findStore(201), nullptr);
  EXPECT_EQ(before.findStore(201)->generation, 2u);
  EXPECT_EQ(before.findStore(203), nullptr);
}

TEST(Document, ForgetsTheStoresThatWereNamedTheLongestAgoButNoMembers) {
  auto full = document(1);
  full.remember({201, 1, 101});  // A member.
  for (std::uint64_t store = 1001; store <= 2200; ++store) full.remember({store, 1, store});
  EXPECT_EQ(full.stores.size(), Document::STORES_KEPT);
  EXPECT_NE(full.findStore(201), nullptr);
  EXPECT_EQ(full.findStore(1201), nullptr);
  EXPECT_NE(full.findStore(1202), nullptr);
  EXPECT_NE(full.findStore(2200), nullptr);
}

// The document of an older master, which knew neither stores nor drained nodes.
kj::Array<kj::byte> encodeVersion(std::uint32_t version) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<schema::MasterDocument>();
  root.setFormatVersion(version);
  root.setClusterId(77);
  auto relink = root.initRelinks(1)[0];
  configuration(9).write(relink.initConfiguration());
  relink.setDuration(5);
  return kj::heapArray<kj::byte>(capnp::messageToFlatArray(message).asBytes());
}

TEST(Document, ReadsVersion1) {
  auto old = Document::decode(encodeVersion(1));
  EXPECT_EQ(old.current(), configuration(9));
  EXPECT_TRUE(old.stores.empty());
  EXPECT_TRUE(old.drained.empty());
  EXPECT_EQ(Document::decode(old.encode()), old);
}

TEST(Document, RefusesVersionsItDoesNotKnow) {
  EXPECT_ANY_THROW(Document::decode(encodeVersion(0)));
  EXPECT_ANY_THROW(Document::decode(encodeVersion(5)));
}

TEST(Document, RefusesToDecodeWhatBreaksItsInvariant) {
  auto gap = document(3);
  gap.relinks.erase(gap.relinks.begin() + 1);
  EXPECT_ANY_THROW(Document::decode(gap.encode()));
  auto foreign = document(2);
  foreign.relinks[0].configuration.clusterId = 78;
  EXPECT_ANY_THROW(Document::decode(foreign.encode()));
  EXPECT_ANY_THROW(Document::decode(Document().encode()));
  auto bytes = document(1).encode();
  EXPECT_ANY_THROW(Document::decode(bytes.slice(0, bytes.size() - 1)));
  EXPECT_ANY_THROW(Document::decode(bytes.slice(0, bytes.size() - 8)));
}

}  // namespace
}  // namespace gavel::master
