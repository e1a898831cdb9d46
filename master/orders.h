#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "master/joining.h"
#include "master/membership.h"

// What operators order, and what comes of it (master.capnp's Operator).  Pure: no clock, I/O or
// promises; the caller stores what a ruling says, and tells the operator its words then.
namespace gavel::master {

// What has been ordered and not come to its end.  In memory: a restarted master knows nothing of
// it, and the operator finds that in nodes().
struct Orders {
  // `old` leaves as soon as `successor` serves.
  struct Replacement {
    std::string old;
    std::string successor;
  };

  std::set<std::string> wanted;  // They may join whatever the target length.
  std::optional<Replacement> replacement;
};

// What rulings rest on.
struct View {
  const Configuration& current;
  const std::vector<std::string>& drained;
  const Orders& orders;
  std::vector<Newcomer> newcomers;  // Registered nodes that are no members.
  std::set<std::uint64_t> heard;    // Members that are heard now.
  std::set<std::uint64_t> lost;     // Members that are lost.
  std::set<std::string> refused;    // Names of nodes that were not let in.
  Bound bound;                      // What is known to be committed (R11).
};

struct Ruling {
  bool refused = false;
  std::string words;  // For the operator.

  // To be done if it was not refused.
  std::optional<Configuration> next;                // To be stored,
  std::optional<std::vector<std::string>> drained;  // and this with it.
  std::optional<Orders> orders;                     // In force once that is stored.
  // The node that an operator vouches for: that it flapped, or was slow, is forgotten.
  std::string vouched;
  std::string forgotten;  // The node that nodes() is to tell no more.
};

Ruling ruleAdd(const View& view, const std::string& name);
Ruling ruleDrain(const View& view, const std::string& name);
Ruling ruleReplace(const View& view, const std::string& old, const std::string& successor);
// Of a node that is gone for good.
Ruling ruleForget(const View& view, const std::string& name);
// See outage.h.  `epoch` is the newest one that the operator has seen.
Ruling ruleRecover(const View& view, const std::string& name, std::uint64_t epoch);

// How the replacement that is under way goes on: nothing to say while its successor is joining; a
// refused ruling if it has to be abandoned, with `orders` that are without it.
std::optional<Ruling> continueReplacement(const View& view);

// How many names of drained nodes are kept.
constexpr std::size_t MAX_DRAINED = 1000;

bool contains(const std::vector<std::string>& names, std::string_view name);

}  // namespace gavel::master
