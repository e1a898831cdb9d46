#include "tests/simulation/spectator.h"

#include <kj/debug.h>

#include "tests/history/recording-client.h"

namespace gavel::simulation {
namespace {

constexpr auto LOOK = 20 * kj::MILLISECONDS;
constexpr double WATCHED_ALONE = 0.3;
// Some watchers pause for a while, and then find all that happened meanwhile.
constexpr double BUSY = 0.1;
constexpr auto LONGEST_BUSY = 4 * kj::SECONDS;

}  // namespace

Spectator::Spectator(client::Client& client, kj::Timer& timer, Random& random, Dice dice)
    : timer(timer),
      client(client),
      random(random),
      dice(dice),
      patience(
          timer, [](kj::StringPtr) {}, []() {}),
      all(client, patience, random, 0),
      tasks(*this) {
  tasks.add(watchAll());
}

kj::Promise<void> Spectator::watchAll() {
  return all.next().then([this](client::ChangesPage page) {
    if (page.get().getGap()) {
      anyGap = true;
      for (auto& [auction, told]: byAll) told.gap = true;
    }
    for (auto change: page.get().getChanges()) {
      std::string auction = change.getAuction().cStr();
      auto [found, isNew] = byAll.try_emplace(auction);
      if (isNew) {
        found->second.gap = anyGap;
        if (dice.chance(WATCHED_ALONE)) {
          auto& told = byOne[auction];
          told.watch =
              std::make_unique<client::AuctionWatch>(client, patience, random, auction.c_str(), 1);
          tasks.add(watchOne(auction, told));
        }
      }
      take(auction, found->second, change.getVersion());
    }
    if (!dice.chance(BUSY)) return watchAll();
    auto busy = dice.skewed(20 * kj::MILLISECONDS, LONGEST_BUSY);
    return timer.afterDelay(busy).then([this]() { return watchAll(); });
  });
}

kj::Promise<void> Spectator::watchOne(const std::string& auction, Told& told) {
  return told.watch->next().then([this, auction, &told](client::HistoryPage page) {
    KJ_REQUIRE(!page.get().hasFailure(), "an auction that was watched is gone", auction.c_str());
    for (auto version: page.get().getVersions()) take(auction, told, version);
    return watchOne(auction, told);
  });
}

void Spectator::take(const std::string& auction, Told& told, schema::Version::Reader reader) {
  auto version = history::versionOf(reader);
  auto last = told.versions.empty() ? 0 : told.versions.rbegin()->first;
  bool follows = told.gap ? version.version > last : version.version == last + 1;
  KJ_REQUIRE(follows, "a watcher was told another version than the next", auction.c_str(), last,
             version.version);
  told.gap = false;
  told.versions[version.version] = version;
}

kj::Promise<void> Spectator::settle(const std::vector<history::FinalHistory>& finals) {
  if (!failure.empty()) return KJ_EXCEPTION(FAILED, "a watcher failed", failure.c_str());
  if (!complete(finals))
    return timer.afterDelay(LOOK).then([this, &finals]() { return settle(finals); });
  compare(finals);
  return kj::READY_NOW;
}

bool Spectator::complete(const std::vector<history::FinalHistory>& finals) const {
  for (auto& final: finals) {
    if (final.versions.empty()) continue;
    auto last = final.versions.back().version;
    auto reached = [&](const std::map<std::string, Told>& told) {
      auto found = told.find(final.auction);
      return found != told.end() && !found->second.versions.empty() &&
             found->second.versions.rbegin()->first >= last;
    };
    if (byOne.count(final.auction) > 0 && !reached(byOne)) return false;
    // A gap may have hidden the last one.
    if (!anyGap && !reached(byAll)) return false;
  }
  return true;
}

void Spectator::compare(const std::vector<history::FinalHistory>& finals) {
  std::map<std::string, const history::FinalHistory*> known;
  for (auto& final: finals) known[final.auction] = &final;
  for (auto* watches: {&byAll, &byOne}) {
    for (auto& [auction, told]: *watches) {
      auto found = known.find(auction);
      if (found == known.end()) continue;
      auto& versions = found->second->versions;
      for (auto& [number, version]: told.versions) {
        // Its time may have come after it was read.
        bool later =
            number == versions.size() + 1 && version.kind == history::Version::Kind::closed;
        KJ_REQUIRE(later || (number <= versions.size() && versions[number - 1] == version),
                   "a watcher was told what is not in the history", auction.c_str(),
                   describe(version).c_str());
      }
    }
  }
}

void Spectator::taskFailed(kj::Exception&& exception) {
  if (failure.empty()) failure = exception.getDescription().cStr();
}

}  // namespace gavel::simulation
