#include "log/recent-log.h"

#include <algorithm>

#include <kj/debug.h>

namespace gavel {

void RecentLog::append(BatchPtr batch) {
  auto at = end();
  KJ_REQUIRE(batch->previous() == at, "a batch that does not follow the log's end (R4)",
             batch->previous().epoch, batch->previous().index, at.epoch, at.index);
  bytes_ += batch->bytes().size();
  before.push_back(appended);
  appended += batch->bytes().size();
  batches.push_back(std::move(batch));
}

std::size_t RecentLog::bytesAfter(std::uint64_t index) const {
  auto first = std::partition_point(batches.begin(), batches.end(), [&](const BatchPtr& batch) {
    return batch->lastIndex() <= index;
  });
  if (first == batches.end()) return 0;
  return appended - before[static_cast<std::size_t>(first - batches.begin())];
}

BatchPtr RecentLog::after(std::uint64_t index) const {
  if (index == end().index) return nullptr;
  auto found = std::lower_bound(
      batches.begin(), batches.end(), index,
      [](const BatchPtr& batch, std::uint64_t value) { return batch->previous().index < value; });
  KJ_REQUIRE(found != batches.end() && (*found)->previous().index == index,
             "no batch begins after this index", index, start_.index, end().index);
  return *found;
}

bool RecentLog::contains(const Position& position) const {
  if (position == start_) return true;
  auto found = std::lower_bound(
      batches.begin(), batches.end(), position.index,
      [](const BatchPtr& batch, std::uint64_t value) { return batch->lastIndex() < value; });
  return found != batches.end() && (*found)->end() == position;
}

std::optional<Position> RecentLog::lastWithin(const Position& limit) const {
  auto batch = std::find_if(batches.rbegin(), batches.rend(), [&](const BatchPtr& each) {
    return each->lastIndex() <= limit.index && each->epoch() <= limit.epoch;
  });
  if (batch != batches.rend()) return (*batch)->end();
  if (start_.index <= limit.index && start_.epoch <= limit.epoch) return start_;
  return std::nullopt;
}

Position RecentLog::at(std::uint64_t index) const {
  if (index == end().index) return end();
  return after(index)->previous();
}

bool RecentLog::holdsWithin(std::uint64_t index, std::uint64_t upTo, std::size_t bytes) const {
  if (index < start_.index) return false;
  std::size_t sum = 0;
  for (auto batch = batches.rbegin(); batch != batches.rend() && (*batch)->lastIndex() > index;
       ++batch) {
    if ((*batch)->lastIndex() > upTo) continue;
    sum += (*batch)->bytes().size();
    if (sum > bytes) return false;
  }
  return true;
}

void RecentLog::trim(std::uint64_t index, std::size_t keepBytes) {
  while (!batches.empty() && batches.front()->lastIndex() <= index &&
         bytes_ - batches.front()->bytes().size() >= keepBytes) {
    bytes_ -= batches.front()->bytes().size();
    start_ = batches.front()->end();
    batches.pop_front();
    before.pop_front();
  }
}

}  // namespace gavel
