#pragma once

#include <absl/container/flat_hash_map.h>
#include <array>
#include <climits>
#include <cstddef>

namespace gavel::auction {

// From a key to an element that is kept elsewhere; keys may borrow from the elements.
//
// A hash table in parts that grow one at a time.  A table as a whole is filled anew when it grows,
// which takes 0.1 s for a million names (each has to be fetched from memory): as long as that the
// event loop would stand still, and with some millions be taken for dead.
template <class Key, class Element>
class Index {
public:
  // Null if there is none.
  Element* find(const Key& key) const {
    const std::size_t hash = hashOf(key);
    const Part& part = parts[partOf(hash)];
    const auto found = part.find(key, hash);
    return found == part.end() ? nullptr : found->second;
  }
  // Asks the processor for the place where find() will look.
  void prefetch(const Key& key) const { parts[partOf(hashOf(key))].prefetch(key); }

  // The key must be unknown...
  void add(const Key& key, Element& element) { part(key).emplace(key, &element); }
  // ...or known.
  void remove(const Key& key) { part(key).erase(key); }

private:
  using Part = absl::flat_hash_map<Key, Element*>;
  static constexpr std::size_t PART_BITS = 8;

  std::array<Part, 1 << PART_BITS> parts;

  static std::size_t hashOf(const Key& key) { return typename Part::hasher{}(key); }
  // By the bits that a part itself looks at last.
  static std::size_t partOf(std::size_t hash) {
    return hash >> (sizeof(hash) * CHAR_BIT - PART_BITS);
  }
  Part& part(const Key& key) { return parts[partOf(hashOf(key))]; }
};

}  // namespace gavel::auction
