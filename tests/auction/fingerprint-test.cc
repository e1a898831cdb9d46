#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/auction/log.h"

namespace gavel::auction::test {
namespace {

TEST(Fingerprint, TellsApartWhatDiffersInAnyField) {
  CreateAuction plain = create("lamp");
  std::vector<Command> commands{OpenSession{},
                                ExpireSessions{0},
                                ExpireSessions{1},
                                ExpireSessions{1, 1},
                                CloseExpired{},
                                Tick{},
                                CloseExpired{1},
                                CloseDue{"lamp"},
                                CloseDue{"vase"},
                                bid("lamp", "ann", 100),
                                bid("lamp", "ann", 101),
                                bid("lamp", "bob", 100),
                                bid("vase", "ann", 100),
                                bid("lam", "pann", 100),
                                bid("lampa", "nn", 100),
                                Bid{"lamp", impostor("ann"), 100},
                                CloseAuction{"lamp", identity("owner")},
                                CancelAuction{"lamp", identity("owner")},
                                CloseAuction{"vase", identity("owner")},
                                CloseAuction{"lamp", impostor("owner")},
                                plain};
  const auto change = [&](auto edit) {
    CreateAuction changed = plain;
    edit(changed.terms);
    commands.push_back(changed);
  };
  change([](Terms& t) { t.item = "a lamp?"; });
  change([](Terms& t) { t.duration += 1; });
  change([](Terms& t) { t.startingPrice = 1; });
  change([](Terms& t) { t.reserve = 1; });
  change([](Terms& t) { t.increment.value += 1; });
  change([](Terms& t) { t.increment.kind = Increment::Kind::percent; });
  change([](Terms& t) { t.softClose.window = 1; });
  change([](Terms& t) { t.softClose.extension = 1; });
  change([](Terms& t) { t.softClose.hardEnd = 1; });

  std::set<std::uint64_t> fingerprints;
  for (const Command& command: commands) fingerprints.insert(fingerprint(command));
  EXPECT_EQ(fingerprints.size(), commands.size());
}

TEST(Fingerprint, DependsOnContentsOnly) {
  const std::string auction = "lamp";
  const std::string copy = "lamp";
  EXPECT_EQ(fingerprint(bid(auction, "ann", 100)), fingerprint(bid(copy, "ann", 100)));
  const std::string item(100'000, 'i');  // Longer than any valid one.
  Terms terms = plainTerms();
  terms.item = item;
  EXPECT_EQ(fingerprint(create("lamp", terms)), fingerprint(create("lamp", terms)));
}

// It is in the records of sessions, which have to agree between nodes of different builds.
TEST(Fingerprint, IsTheSameForEver) {
  EXPECT_EQ(fingerprint(bid("lamp", "ann", 100)), 13544487557449975070u);
}

}  // namespace
}  // namespace gavel::auction::test
