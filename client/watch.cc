#include "client/watch.h"

namespace gavel::client {
namespace {

// Follows a call that has used all its time.
constexpr auto PAUSE = 100 * kj::MILLISECONDS;

kj::Maybe<schema::QueryFailure::Reader> failureOf(const auto& page) {
  if (page.get().hasFailure()) return page.get().getFailure();
  return nullptr;
}

}  // namespace

kj::Maybe<kj::Promise<void>> Patience::pauseAfter(kj::Maybe<schema::QueryFailure::Reader> failure) {
  KJ_IF_MAYBE (why, failure) {
    if (why->getReason() == schema::QueryFailure::Reason::UNAVAILABLE) {
      if (!isLost) lost(why->getDetail());
      isLost = true;
      return timer.afterDelay(PAUSE);
    }
  }
  if (isLost) found();
  isLost = false;
  return nullptr;
}

kj::Promise<HistoryPage> AuctionWatch::next() {
  return client.watch(auction, from, turn)
      .then([this](HistoryPage page) -> kj::Promise<HistoryPage> {
        auto failure = failureOf(page);
        KJ_IF_MAYBE (pause, patience.pauseAfter(failure)) {
          return pause->then([this]() { return next(); });
        }
        auto versions = page.get().getVersions();
        if (failure == nullptr && versions.size() == 0) return next();
        if (versions.size() > 0) from = versions[versions.size() - 1].getVersion() + 1;
        return kj::mv(page);
      });
}

kj::Promise<ChangesPage> ChainWatch::next() {
  return client.watchAll(after, turn).then([this](ChangesPage page) -> kj::Promise<ChangesPage> {
    KJ_IF_MAYBE (pause, patience.pauseAfter(failureOf(page))) {
      return pause->then([this]() { return next(); });
    }
    auto told = page.get();
    if (told.getGap() && othersMayHold()) {
      ++gaps;
      ++turn;
      return next();
    }
    gaps = 0;
    bool begins = after == NOW;
    after = told.getPosition();
    if (!begins && !told.getGap() && told.getChanges().size() == 0) return next();
    return kj::mv(page);
  });
}

bool ChainWatch::othersMayHold() const {
  KJ_IF_MAYBE (configuration, client.locator().configuration()) {
    return gaps + 1 < configuration->getMembers().size();
  }
  return false;
}

}  // namespace gavel::client
