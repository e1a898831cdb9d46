#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "auction/outcome.h"

namespace gavel::auction {

// The recorded outcome of a request (R7).
struct RequestRecord {
  std::uint64_t fingerprint = 0;  // The command's: a retry has the same, another use of the id not.
  Outcome outcome;                // It is committed once outcome.index is.
};

// The records of a session by their sequence, in rising order.  Records are added at the end, or
// near it where a client has many requests under way, and freed at the front.  Both take constant
// time on average; finding one takes logarithmic time.
class RequestRecords {
public:
  using value_type = std::pair<std::uint64_t, RequestRecord>;
  using const_iterator = std::vector<value_type>::const_iterator;

  const_iterator begin() const { return items.begin() + static_cast<std::ptrdiff_t>(freed); }
  const_iterator end() const { return items.end(); }
  std::size_t size() const { return items.size() - freed; }
  bool empty() const { return size() == 0; }

  const_iterator lower_bound(std::uint64_t sequence) const {
    // Most sequences that are looked for are above all recorded ones.
    if (empty() || items.back().first < sequence) return end();
    return std::lower_bound(begin(), end(), sequence,
                            [](const auto& item, std::uint64_t key) { return item.first < key; });
  }
  const_iterator find(std::uint64_t sequence) const {
    auto found = lower_bound(sequence);
    return found == end() || found->first != sequence ? end() : found;
  }

  // Adds a record, or replaces the one with that sequence.
  void put(std::uint64_t sequence, const RequestRecord& record) {
    if (items.size() == items.capacity() && freed > items.size() / 2) makeRoom();
    auto place = lower_bound(sequence);
    if (place != end() && place->first == sequence) {
      items[static_cast<std::size_t>(place - items.begin())].second = record;
      return;
    }
    items.insert(place, {sequence, record});
  }
  // Frees all records below `sequence`.
  void freeBelow(std::uint64_t sequence) {
    while (freed < items.size() && items[freed].first < sequence) ++freed;
    if (freed == items.size()) makeRoom();
  }

  // How many records there is room for.
  std::size_t capacity() const { return items.capacity(); }

private:
  static constexpr std::size_t FEW = 64;

  std::vector<value_type> items;
  std::size_t freed = 0;  // How many items at the front are freed.

  // Removes the freed items.  Gives memory back where far fewer are left, as there may be many
  // sessions.
  void makeRoom() {
    if (items.capacity() > FEW && size() < items.capacity() / 8) {
      items = std::vector<value_type>(begin(), end());
    } else {
      items.erase(items.begin(), begin());
    }
    freed = 0;
  }
};

}  // namespace gavel::auction
