#include "master/roster.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include "schema/peer.capnp.h"

namespace gavel::master {
namespace {

using ::testing::HasSubstr;

constexpr auto MAX_SKEW = 2 * kj::SECONDS;

Application newcomer() {
  Application application;
  application.protocolVersion = schema::PROTOCOL_VERSION;
  application.candidate.member = {"n4", "host:7404", 104, 204, true};
  application.candidate.empty = true;
  application.candidate.generation = 5;
  return application;
}

Configuration chain() {
  return {0xabc, 5, {{"n1", "host:7401", 101, 201, true}}, 0, "test"};
}

std::string refusal(const Application& application, const Configuration& current = chain(),
                    const Member* namesake = nullptr, kj::Maybe<StoreRecord> newest = nullptr) {
  KJ_IF_MAYBE (why, whyRefused(application, current, namesake, newest, {})) {
    return why->cStr();
  }
  return "";
}

std::string clockRefusal(const Application& application, std::int64_t ours) {
  KJ_IF_MAYBE (why, whyClockRefused(application, chain(), ours, MAX_SKEW)) {
    return why->cStr();
  }
  return "";
}

TEST(Admission, AdmitsANewcomerToAnyMaster) {
  EXPECT_EQ(refusal(newcomer()), "");
  EXPECT_EQ(refusal(newcomer(), {}), "");
}

TEST(Admission, RefusesAnotherCluster) {
  auto application = newcomer();
  application.candidate.clusterId = 0xdef;
  EXPECT_THAT(refusal(application),
              HasSubstr("belongs to cluster def, this master leads cluster abc"));
  EXPECT_THAT(refusal(application, {}), HasSubstr("has formed none yet"));
  application.candidate.clusterId = 0xabc;
  EXPECT_EQ(refusal(application), "");
}

// R3: the store of a lost master was made anew.
TEST(Admission, RefusesWhoFollowsAMasterOfAnotherReign) {
  auto application = newcomer();
  application.candidate.clusterId = 0xabc;
  application.epoch = 5;
  application.reign = 0x77;
  EXPECT_THAT(refusal(application), HasSubstr("follows the master of reign 77, in epoch 5"));
  application.epoch = 1 << 20;
  EXPECT_THAT(refusal(application), HasSubstr("one of the two is over"));
  // It gets the newer configuration, of this reign.
  application.epoch = 4;
  EXPECT_EQ(refusal(application), "");
  auto anew = chain();
  anew.reign = 0x77;
  application.epoch = 5;
  EXPECT_EQ(refusal(application, anew), "");
}

TEST(Admission, RefusesAnotherProtocolVersion) {
  auto application = newcomer();
  application.protocolVersion = schema::PROTOCOL_VERSION + 1;
  auto ours = std::to_string(schema::PROTOCOL_VERSION);
  auto theirs = std::to_string(schema::PROTOCOL_VERSION + 1);
  EXPECT_THAT(refusal(application),
              HasSubstr("version " + ours + " of the protocol and the node version " + theirs));
}

TEST(Admission, RefusesANameThatIsInUse) {
  Member namesake{"n4", "host:9999", 999, 998, true};
  EXPECT_THAT(refusal(newcomer(), chain(), &namesake),
              HasSubstr("n4 is in use by a live node at host:9999"));
}

TEST(Admission, RefusesMalformedNamesAndAddresses) {
  for (auto name: {std::string(), std::string(65, 'x'), std::string("a b"), std::string("a\n")}) {
    auto application = newcomer();
    application.candidate.member.name = name;
    EXPECT_THAT(refusal(application), HasSubstr("choose another --name")) << name;
  }
  for (auto address: {std::string(), std::string(300, 'x'), std::string("a b:1")}) {
    auto application = newcomer();
    application.candidate.member.address = address;
    EXPECT_THAT(refusal(application), HasSubstr("HOST:PORT")) << address;
  }
  auto application = newcomer();
  application.candidate.member.name = std::string(64, 'x');
  EXPECT_EQ(refusal(application), "");
  application.candidate.member.incarnation = 0;
  EXPECT_NE(refusal(application), "");
}

TEST(Admission, RefusesAWrongClockAndNamesBoth) {
  auto application = newcomer();
  constexpr std::int64_t OURS = 1'700'000'000'000'000'000;
  auto withSkew = [&](std::int64_t skew) {
    application.clock = skew == std::numeric_limits<std::int64_t>::min() ? skew : OURS + skew;
    application.skew = skew;
    return clockRefusal(application, OURS);
  };
  EXPECT_EQ(withSkew(2'000'000'000), "");
  EXPECT_EQ(withSkew(-2'000'000'000), "");
  EXPECT_THAT(withSkew(2'000'000'001),
              HasSubstr("n4 says 2023-11-14T22:13:22Z, 2s ahead of that of its master, which says "
                        "2023-11-14T22:13:20Z; more than 2s"));
  EXPECT_THAT(withSkew(-3'600'000'000'000),
              HasSubstr("n4 says 2023-11-14T21:13:20Z, 1h before that of its master, which says "
                        "2023-11-14T22:13:20Z; more than 2s"));
  EXPECT_NE(withSkew(std::numeric_limits<std::int64_t>::min()), "");
}

TEST(Admission, TakesAMemberBackWhateverItsClockSays) {
  auto application = newcomer();
  application.candidate.member = chain().members[0];
  application.candidate.clusterId = 0xabc;
  application.skew = 5'000'000'000;
  EXPECT_EQ(refusal(application), "");
  EXPECT_EQ(clockRefusal(application, 0), "");
}

TEST(Admission, RefusesAnOlderCopyOfADataDirectory) {
  auto application = newcomer();
  auto against = [&](std::uint64_t generation, std::uint64_t incarnation) {
    return refusal(application, chain(), nullptr, StoreRecord{204, generation, incarnation});
  };
  EXPECT_EQ(against(4, 900), "");
  EXPECT_EQ(against(5, 104), "");  // It registers again.
  EXPECT_THAT(against(5, 900), HasSubstr("the data directory of node n4 is an older copy"));
  EXPECT_THAT(against(6, 900), HasSubstr("it must not be started"));
  EXPECT_THAT(against(6, 900), HasSubstr("start the node with an empty directory"));
  application.candidate.generation = 0;
  EXPECT_NE(against(1, 900), "");
}

TEST(Admission, RefusesABackupWhereAChainHasItsOwnState) {
  auto application = newcomer();
  application.candidate.empty = false;
  EXPECT_EQ(refusal(application, {}), "");
  EXPECT_THAT(refusal(application), HasSubstr("restored from a backup"));
  application.candidate.member.storeId = 201;  // It founded this cluster, and ended before it knew.
  EXPECT_EQ(refusal(application), "");
}

TEST(Skew, NeverOverflows) {
  constexpr auto MOST = std::numeric_limits<std::int64_t>::max();
  constexpr auto LEAST = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(skewOf(12, 10), 2);
  EXPECT_EQ(skewOf(LEAST, 10), LEAST);
  EXPECT_EQ(skewOf(MOST, -10), MOST);
  EXPECT_GT(magnitude(LEAST), 1 * kj::DAYS);
}

}  // namespace
}  // namespace gavel::master
