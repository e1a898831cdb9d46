#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "tests/history/history.h"

namespace gavel::history {

// Looks for moments at which changes 1 … n, in this order, can have happened, given what operations
// say of them.
//
// Each operation bounds the moment of a change from below (the change was asked for, or not yet to
// be seen, then) or from above (its success was told, or it was seen, then).  Moments exist if and
// only if no lower bound of a change is above an upper bound of it or of a later one: for then each
// change may happen at the highest lower bound of it and all before.  An operation that saw
// something then finds a moment of its own between the change before and the one behind it.
class Moments {
public:
  // Why a bound holds.
  struct Evidence {
    std::size_t change = 0;
    // It asked for that change; else it was answered from before it, or from behind it.
    bool made = false;
    const Operation* operation = nullptr;
  };
  // `earlier` ended with change `earlier.change` in place before `later` began, which it says was
  // not so: `later.change` is not above `earlier.change`.
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

  // `operation` was answered from what was there with change `first`, and until after `last`.
  void seen(std::size_t first, std::size_t last, const Operation& operation) {
    upper(operation.returned, {first, false, &operation});
    if (last + 2 < notBefore.size()) lower(operation.invoked, {last + 1, false, &operation});
  }

  std::optional<Conflict> conflict() const {
    // From the last change on: the lowest upper bound of it and all behind it.
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
