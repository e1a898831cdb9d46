#pragma once

#include <cstdint>

#include "topology/configuration.h"

namespace gavel {

// What a node has promised to a master that makes the store of a lost one anew (R3;
// master/rebuild.h says what for): it adopts nothing below `epoch`, and of that epoch only what the
// master of `reign` has made.
//
// A later promise takes the place of an earlier one only if its epoch is higher, so that each epoch
// is given to one reign at most.
struct RebuildPromise {
  std::uint64_t epoch = 0;  // 0: none was given.
  std::uint64_t reign = 0;

  bool operator==(const RebuildPromise&) const = default;

  // Whether `configuration`, which is newer than the node's own, is not to be adopted.
  bool forbids(const Configuration& configuration) const {
    return configuration.epoch < epoch ||
           (configuration.epoch == epoch && configuration.reign != reign);
  }
  // Whether it may take the place of `earlier`, or is the same.
  bool follows(const RebuildPromise& earlier) const {
    return epoch > earlier.epoch || *this == earlier;
  }
};

}  // namespace gavel
