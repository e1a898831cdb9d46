#include "tail/feed.h"

#include <algorithm>

#include <kj/debug.h>

#include "base/planted.h"

namespace gavel::tail {
namespace {

constexpr std::size_t NAMES_BYTES = 32 * 1024;  // Holds hundreds of the longest names.
static_assert(NAMES_BYTES > auction::MAX_NAME_BYTES);

}  // namespace

// Leaves its list when its promise is done or dropped.
class Feed::Waiter {
public:
  Waiter(kj::PromiseFulfiller<void>& fulfiller, Feed& feed, const std::string& auction)
      : fulfiller(fulfiller), feed(feed), auction(auction) {
    auto& others = feed.waitersOf[auction];
    place = others.insert(others.end(), this);
    ++feed.waiters;
  }
  ~Waiter() noexcept(false) {
    auto others = feed.waitersOf.find(auction);
    others->second.erase(place);
    if (others->second.empty()) feed.waitersOf.erase(others);
    --feed.waiters;
  }
  KJ_DISALLOW_COPY(Waiter);

  void wake() { fulfiller.fulfill(); }

private:
  kj::PromiseFulfiller<void>& fulfiller;
  Feed& feed;
  std::string auction;
  std::list<Waiter*>::iterator place;
};

void Feed::applied(std::span<const auction::Event> events) {
  for (auto& event: events) {
    auto* version = event.auction->findVersion(event.version);
    KJ_ASSERT(version != nullptr, "a version that is not there", event.auction->id, event.version);
    changes.push_back({version->index, keep(event.auction->name), event.version, *version});
    bytes += sizeOf(changes.back());
  }
  if (planted(Bug::tellUncommitted) && !changes.empty()) committed(changes.back().index);
  while (bytes > mostBytes && told > 0) forgetOldest();
}

void Feed::committed(std::uint64_t index) {
  position_ = index;
  auto before = told;
  while (told < changes.size() && changes[told].index <= index) ++told;
  for (; before < told && waiters > 0; ++before) {
    wake(changes[before].auction);
    wake("");
  }
}

void Feed::restart(std::uint64_t index) {
  changes.clear();
  names.clear();
  bytes = 0;
  told = 0;
  start_ = index;
  position_ = index;
}

kj::StringPtr Feed::keep(std::string_view name) {
  if (names.empty() || names.back().text.size() - names.back().used <= name.size()) {
    names.push_back({kj::heapArray<char>(NAMES_BYTES)});
  }
  auto& last = names.back();
  auto* begin = last.text.begin() + last.used;
  *std::copy(name.begin(), name.end(), begin) = '\0';
  last.used += name.size() + 1;
  ++last.changes;
  return {begin, name.size()};
}

// Forgets all changes that the oldest entry has made.
void Feed::forgetOldest() {
  start_ = changes.front().index;
  while (told > 0 && changes.front().index == start_) {
    bytes -= sizeOf(changes.front());
    changes.pop_front();
    --told;
    if (--names.front().changes == 0) names.pop_front();
  }
}

std::span<const Feed::Change* const> Feed::read(std::uint64_t after, std::size_t most) {
  KJ_REQUIRE(after >= start_);
  auto end = changes.begin() + static_cast<std::ptrdiff_t>(told);
  auto next = std::upper_bound(
      changes.begin(), end, after,
      [](std::uint64_t index, const Change& change) { return index < change.index; });
  page.clear();
  for (; next != end; ++next) {
    if (page.size() >= most && next->index != page.back()->index) break;
    page.push_back(&*next);
  }
  return page;
}

kj::Promise<void> Feed::next(const std::string& auction) {
  return kj::newAdaptedPromise<void, Waiter>(*this, auction);
}

void Feed::wake(kj::StringPtr auction) {
  auto found = waitersOf.find(auction.cStr());
  if (found == waitersOf.end()) return;
  for (auto* waiter: found->second) waiter->wake();
}

}  // namespace gavel::tail
