#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "tests/history/history.h"

namespace gavel::history {

// Looks for moments at which changes 1 … n, in this order, can have happened, given the evidence of
// operations.
//
// An operation bounds the moment of a change from below: at that time the change was asked for, or
// not visible yet.  Or it bounds it from above: at that time the change was acknowledged, or
// visible.  Moments exist if and only if no lower bound of a change is above an upper bound of it
// or of a later one.  Then each change may happen at the highest of its own lower bounds and those
// of earlier changes.  An operation that saw something has a moment of its own between that change
// and the next one.
class Moments {
public:
  // The reason for a bound.
  struct Evidence {
    std::size_t change = 0;
    // It asked for that change; otherwise it was answered from the state before it, or after it.
    bool made = false;
    const Operation* operation = nullptr;
  };
  // `earlier` ended when change `earlier.change` was in place, before `later` began.  `later`
  // contradicts that: `later.change` is not above `earlier.change`.
  struct Conflict {
    Evidence earlier;
    Evidence later;
  };

  explicit Moments(std::size_t changes): notBefore(changes + 2), notAfter(changes + 2) {}

  // `operation` made change `change`.
  void made(std::size_t change, const Operation& operation) {
    lower(operation.invoked, {change, true, &operation});
    if (operation.outcome.kind != Outcome::Kind::unknown) {
      upper(operation.returned, {change, true, &operation});
    }
  }

  // `operation` was answered from a state at or after change `first` and before change `last` + 1.
  void seen(std::size_t first, std::size_t last, const Operation& operation) {
    upper(operation.returned, {first, false, &operation});
    if (last + 2 < notBefore.size()) lower(operation.invoked, {last + 1, false, &operation});
  }

  std::optional<Conflict> conflict() const {
    // From the last change back: the lowest upper bound of it and all later ones.
    std::vector<Upper> soonest(notAfter);
    for (std::size_t change = soonest.size() - 1; change > 0; --change) {
      if (soonest[change].time < soonest[change - 1].time) {
        soonest[change - 1] = soonest[change];
      }
    }
    for (std::size_t change = 1; change < notBefore.size(); ++change) {
      if (notBefore[change].time > soonest[change].time) {
        return Conflict{soonest[change].evidence, notBefore[change].evidence};
      }
    }
    return std::nullopt;
  }

private:
  struct Lower {
    std::int64_t time = std::numeric_limits<std::int64_t>::min();
    Evidence evidence;
  };
  struct Upper {
    std::int64_t time = NEVER;
    Evidence evidence;
  };
  std::vector<Lower> notBefore;  // By change.
  std::vector<Upper> notAfter;

  void lower(std::int64_t time, Evidence evidence) {
    auto& bound = notBefore[evidence.change];
    if (time > bound.time) bound = {time, evidence};
  }
  void upper(std::int64_t time, Evidence evidence) {
    auto& bound = notAfter[evidence.change];
    if (time < bound.time) bound = {time, evidence};
  }
};

}  // namespace gavel::history
