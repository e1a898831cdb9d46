#include "tests/simulation/resident.h"

#include <utility>

#include <kj/debug.h>

#include "tests/history/recording-client.h"

namespace gavel::simulation {
namespace {

// A call that waits for something to happen is answered after half a second at the latest.
constexpr auto PATIENCE = 2 * kj::SECONDS;
constexpr auto PAUSE = 50 * kj::MILLISECONDS;
constexpr double LOOKS_ELSEWHERE = 0.2;
constexpr auto ELSEWHERE_AT_MOST = 4 * kj::SECONDS;

}  // namespace

Resident::Resident(client::Client& client, kj::Timer& timer, std::string node, Dice dice)
    : client(client), timer(timer), node(std::move(node)), dice(dice), tasks(*this) {
  tasks.add(watch());
}

kj::Promise<void> Resident::watch() {
  return ask().then([this]() { return watch(); });
}

kj::Promise<void> Resident::ask() {
  auto asked = client.locator().peer(node.c_str()).then([this](kj::Own<client::Peer> peer) {
    auto request = peer->auctioneer().watchAllRequest();
    request.setAfter(position);
    auto& reference = *peer;
    return request.send()
        .then(
            [](auto&& response) -> kj::Maybe<client::ChangesPage> {
              return client::ChangesPage(response);
            },
            [this, &reference](kj::Exception&& exception) -> kj::Maybe<client::ChangesPage> {
              client.locator().complain(reference, exception);
              return nullptr;
            })
        .attach(kj::mv(peer));
  });
  return timer.timeoutAfter(PATIENCE, kj::mv(asked))
      .catch_([](kj::Exception&&) -> kj::Maybe<client::ChangesPage> { return nullptr; })
      .then([this](kj::Maybe<client::ChangesPage> answer) -> kj::Promise<void> {
        KJ_IF_MAYBE (page, answer) {
          if (!page->get().hasFailure()) {
            take(page->get());
            if (!dice.chance(LOOKS_ELSEWHERE)) return kj::READY_NOW;
            return timer.afterDelay(dice.between(0 * kj::SECONDS, ELSEWHERE_AT_MOST));
          }
        }
        // It is down, cut off, or serves in no chain now.
        return timer.afterDelay(PAUSE);
      });
}

void Resident::take(schema::Changes::Reader page) {
  KJ_REQUIRE(page.getPosition() >= position, "a watcher's position went back", node.c_str(),
             position, page.getPosition());
  position = page.getPosition();
  if (page.getGap()) {
    lastGap = position;
    for (auto& [auction, told]: byAuction) told.gap = true;
  }
  for (auto change: page.getChanges()) {
    auto version = history::versionOf(change.getVersion());
    auto [found, isNew] = byAuction.try_emplace(change.getAuction().cStr());
    auto& told = found->second;
    if (isNew) told.gap = lastGap > 0;
    auto last = told.versions.empty() ? 0 : told.versions.rbegin()->first;
    bool follows = told.gap ? version.version > last : version.version == last + 1;
    KJ_REQUIRE(follows, "a watcher who stayed was told another version than the next", node.c_str(),
               found->first.c_str(), last, version.version);
    told.gap = false;
    told.versions[version.version] = std::move(version);
  }
}

void Resident::compare(const std::vector<history::FinalHistory>& finals) const {
  KJ_REQUIRE(failure.empty(), "a watcher who stayed failed", node.c_str(), failure.c_str());
  for (auto& final: finals) {
    auto found = byAuction.find(final.auction);
    for (auto& version: final.versions) {
      if (version.index <= lastGap || version.index > position) continue;
      bool told = found != byAuction.end() && found->second.versions.count(version.version) > 0 &&
                  found->second.versions.at(version.version) == version;
      KJ_REQUIRE(told, "a watcher who stayed missed a version", node.c_str(), position,
                 final.auction.c_str(), describe(version).c_str());
    }
  }
}

void Resident::taskFailed(kj::Exception&& exception) {
  if (failure.empty()) failure = exception.getDescription().cStr();
}

}  // namespace gavel::simulation
