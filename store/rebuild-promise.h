#pragma once

#include <cstdint>

#include "topology/configuration.h"

namespace gavel {

// What a node has promised to a master that makes the store of a lost one anew (R3; the reason is
// in master/rebuild.h): the node adopts nothing below `epoch`, and of that epoch only what the
// master of `reign` has made.
//
// A later promise replaces an earlier one only if its epoch is higher.  So each epoch is given to
// one reign at most.
struct RebuildPromise {
  std::uint64_t epoch = 0;  // 0: no promise was given.
  std::uint64_t reign = 0;

  bool operator==(const RebuildPromise&) const = default;

  // Whether `configuration` must not be adopted.  It is newer than the node's own.
  bool forbids(const Configuration& configuration) const {
    return configuration.epoch < epoch ||
           (configuration.epoch == epoch && configuration.reign != reign);
  }
  // Whether this promise may replace `earlier`, or is the same.
  bool follows(const RebuildPromise& earlier) const {
    return epoch > earlier.epoch || *this == earlier;
  }
};

}  // namespace gavel
