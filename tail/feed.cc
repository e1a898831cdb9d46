#include "tail/feed.h"

#include <algorithm>

#include <kj/debug.h>

#include "base/planted.h"

namespace gavel::tail {

// Leaves its list when it is woken or dropped.
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

void Feed::applied(const auction::State& state, std::span<const auction::Event> events) {
  for (auto& event: events) {
    auto* auction = state.findAuction(event.auction);
    auto* version = auction == nullptr ? nullptr : auction->findVersion(event.version);
    KJ_ASSERT(version != nullptr, "a version that is not there", event.auction, event.version);
    auto& name = names[auction->id];
    if (name.uses++ == 0) name.text = auction->name;
    changes.push_back({{version->index, &name.text, event.version, *version}, auction->id});
    bytes += sizeOf(changes.back());
  }
  if (planted(Bug::tellUncommitted)) committed(state.lastIndex());
  while (bytes > mostBytes && told > 0) forgetOldest();
}

void Feed::committed(std::uint64_t index) {
  position_ = index;
  auto before = told;
  while (told < changes.size() && changes[told].change.index <= index) ++told;
  for (; before < told && waiters > 0; ++before) {
    wake(*changes[before].change.auction);
    wake({});
  }
}

void Feed::restart(std::uint64_t index, std::uint64_t commit) {
  changes.clear();
  names.clear();
  bytes = 0;
  told = 0;
  start_ = index;
  position_ = std::max(index, commit);
}

// With all that the same entry has made.
void Feed::forgetOldest() {
  start_ = changes.front().change.index;
  while (told > 0 && changes.front().change.index == start_) {
    bytes -= sizeOf(changes.front());
    auto name = names.find(changes.front().auction);
    if (--name->second.uses == 0) names.erase(name);
    changes.pop_front();
    --told;
  }
}

std::span<const Feed::Change* const> Feed::read(std::uint64_t after, std::size_t most) {
  KJ_REQUIRE(after >= start_);
  auto end = changes.begin() + static_cast<std::ptrdiff_t>(told);
  auto next = std::upper_bound(
      changes.begin(), end, after,
      [](std::uint64_t index, const Kept& kept) { return index < kept.change.index; });
  page.clear();
  for (; next != end; ++next) {
    if (page.size() >= most && next->change.index != page.back()->index) break;
    page.push_back(&next->change);
  }
  return page;
}

kj::Promise<void> Feed::next(const std::string& auction) {
  return kj::newAdaptedPromise<void, Waiter>(*this, auction);
}

void Feed::wake(const std::string& auction) {
  auto found = waitersOf.find(auction);
  if (found == waitersOf.end()) return;
  for (auto* waiter: found->second) waiter->wake();
}

}  // namespace gavel::tail
