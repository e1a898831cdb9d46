#pragma once

#include <absl/container/flat_hash_set.h>
#include <absl/hash/hash.h>
#include <array>
#include <climits>
#include <cstddef>

namespace gavel::auction {

// Finds elements by their member KEY.  The elements are kept elsewhere.
//
// It is a hash table in parts that grow one at a time.  A single table is filled anew when it
// grows, which takes 0.1 s for a million names, since each has to be fetched from memory.  The
// event loop would block for that time, and with several million names the node would be suspected.
template <class Key, class Element, auto KEY>
class Index {
public:
  // Returns null if there is none.
  Element* find(const Key& key) const {
    const Wanted wanted{hashOf(key), &key};
    const Part& part = parts[partOf(wanted.hash)];
    const auto found = part.find(wanted, wanted.hash);
    return found == part.end() ? nullptr : *found;
  }

  // find() goes from a place in the table to the element.  These two ask the processor for the one
  // and the other.  The second looks at the place, so call it once that is there.
  [[gnu::flatten]] void prefetchPlace(const Key& key) const {
    const Like wanted{hashOf(key)};
    parts[partOf(wanted.hash)].prefetch(wanted);
    hasEffect();
  }
  void prefetchElement(const Key& key) const {
    const Like wanted{hashOf(key)};
    const Part& part = parts[partOf(wanted.hash)];
    const auto found = part.find(wanted, wanted.hash);
    if (found == part.end()) return;
    const auto* begin = reinterpret_cast<const char*>(*found);
    for (std::size_t i = 0; i < sizeof(Element); i += CACHE_LINE) __builtin_prefetch(begin + i);
    __builtin_prefetch(begin + sizeof(Element) - 1);
    hasEffect();
  }

  // The element's key must be unknown.
  void add(Element& element) { parts[partOf(hashOf(element.*KEY))].insert(&element); }
  // The element must have been added, with the key that it has.
  void remove(const Element& element) {
    const Key key = element.*KEY;
    const Wanted wanted{hashOf(key), &key};
    parts[partOf(wanted.hash)].erase(wanted);
  }

private:
  struct Wanted {
    std::size_t hash;
    const Key* key;
  };
  // Equals any element that the table compares it with, which is nearly always the right one.
  struct Like {
    std::size_t hash;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const Element* element) const { return hashOf(element->*KEY); }
    std::size_t operator()(const Wanted& wanted) const { return wanted.hash; }
    std::size_t operator()(const Like& wanted) const { return wanted.hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Element* a, const Element* b) const { return a == b; }
    bool operator()(const Element*, const Like&) const { return true; }
    bool operator()(const Element* element, const Wanted& wanted) const {
      return Key(element->*KEY) == *wanted.key;
    }
  };
  using Part = absl::flat_hash_set<Element*, Hash, Equal>;
  static constexpr std::size_t PART_BITS = 8;
  static constexpr std::size_t CACHE_LINE = 64;

  std::array<Part, 1 << PART_BITS> parts;

  // GCC takes a function that only prefetches for one without effect, and leaves out calls of it.
  // It does so with the table's own function too, which is why that has to be inlined (flatten).
  static void hasEffect() { asm volatile(""); }
  static std::size_t hashOf(const Key& key) { return absl::Hash<Key>{}(key); }
  // Chooses a part by the bits that the part itself looks at last.
  static std::size_t partOf(std::size_t hash) {
    return hash >> (sizeof(hash) * CHAR_BIT - PART_BITS);
  }
};

}  // namespace gavel::auction
