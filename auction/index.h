#pragma once

#include <absl/container/flat_hash_set.h>
#include <absl/hash/hash.h>
#include <array>
#include <climits>
#include <cstddef>

namespace gavel::auction {

// From a key, the member KEY of an element, to the element, which is kept elsewhere.
//
// A hash table in parts that grow one at a time.  A table as a whole is filled anew when it grows,
// which takes 0.1 s for a million names (each has to be fetched from memory): as long as that the
// event loop would stand still, and with some millions be taken for dead.
template <class Key, class Element, auto KEY>
class Index {
public:
  // Null if there is none.
  Element* find(const Key& key) const {
    const Wanted wanted{hashOf(key), &key};
    const Part& part = parts[partOf(wanted.hash)];
    const auto found = part.find(wanted, wanted.hash);
    return found == part.end() ? nullptr : *found;
  }

  // find() goes from a place in the table to the element.  These ask the processor for one and the
  // other; the second is to follow when the first has come, and looks at the place.
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
  // The element must have been added, and not changed its key.
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
  // Whatever may have it: nearly always the right one.
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

  // To GCC a function that does nothing but prefetch is one without effect, and it leaves out calls
  // of those: also of the table's own, which is why that has to be in line (flatten).
  static void hasEffect() { asm volatile(""); }
  static std::size_t hashOf(const Key& key) { return absl::Hash<Key>{}(key); }
  // By the bits that a part itself looks at last.
  static std::size_t partOf(std::size_t hash) {
    return hash >> (sizeof(hash) * CHAR_BIT - PART_BITS);
  }
};

}  // namespace gavel::auction
