#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "master/joining.h"
#include "master/membership.h"

// The orders of operators, and the rulings on them (Operator in master.capnp).  Pure: no clock, I/O
// or promises; the caller stores what a ruling asks for, and then answers the operator with its
// words.
namespace gavel::master {

// The orders that are under way.  They are in memory: a restarted master knows nothing of them,
// which the operator sees in nodes().
struct Orders {
  // `old` leaves as soon as `successor` serves.
  struct Replacement {
    std::string old;
    std::string successor;
  };

  std::set<std::string> wanted;  // Nodes that may join whatever the target length is.
  std::optional<Replacement> replacement;
};

// The state on which rulings rest.
struct View {
  const Configuration& current;
  const std::vector<std::string>& drained;
  const Orders& orders;
  std::vector<Newcomer> newcomers;  // Registered nodes that are not members.
  std::set<std::uint64_t> heard;    // Members that are heard now.
  std::set<std::uint64_t> lost;     // Members that are lost.
  std::set<std::string> refused;    // Names of nodes that were refused registration.
  Bound bound;                      // What is known to be committed (R11).
};

struct Ruling {
  bool refused = false;
  std::string words;  // For the operator.

  // The caller carries these out; a refused ruling has `orders` at most.
  std::optional<Configuration> next;                // The configuration to store.
  std::optional<std::vector<std::string>> drained;  // The drained names to store with it.
  std::optional<Orders> orders;                     // In force once these are stored.
  // The node that an operator vouches for: its flapping, slowness and dead pairs are forgotten.
  std::string vouched;
  std::string forgotten;  // The node that nodes() is to leave out.
};

Ruling ruleAdd(const View& view, const std::string& name);
Ruling ruleDrain(const View& view, const std::string& name);
Ruling ruleReplace(const View& view, const std::string& old, const std::string& successor);
// Rules on forgetting a node that is gone for good.
Ruling ruleForget(const View& view, const std::string& name);
// Rules on going on with one node alone: see outage.h.  `epoch` is the newest one that the operator
// has seen.
Ruling ruleRecover(const View& view, const std::string& name, std::uint64_t epoch);

// Rules on how the replacement that is under way goes on.  Returns nothing while its successor is
// joining.  Returns a refused ruling, whose `orders` lack the replacement, if it is to be
// abandoned.
std::optional<Ruling> continueReplacement(const View& view);

// How many names of drained nodes are kept.
constexpr std::size_t MAX_DRAINED = 1000;

bool contains(const std::vector<std::string>& names, std::string_view name);

}  // namespace gavel::master
