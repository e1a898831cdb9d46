#pragma once

#include <cstdint>
#include <map>

#include <kj/function.h>
#include <kj/map.h>
#include <kj/refcount.h>
#include <kj/timer.h>

#include "master/membership.h"
#include "schema/master.capnp.h"

namespace gavel::master {

// Tells every registered node, member or not, the configuration in force, until it has
// acknowledged.
//
// A call that fails or is late is made again at the node's next heartbeat: nothing is sent to a
// node that is connected but silent, where it would only pile up.
class Announcer final: private kj::TaskSet::ErrorHandler {
public:
  // Calls `acknowledged` whenever a node has acted in a newer epoch than known before.
  Announcer(kj::Timer& timer, kj::Duration deadline,
            kj::Function<void(std::uint64_t incarnation, std::uint64_t epoch)> acknowledged);
  KJ_DISALLOW_COPY(Announcer);

  void announce(const Configuration& configuration);

  // A node has registered, acting in `epoch`.  Replaces an earlier connection of the same
  // incarnation.
  void add(std::uint64_t incarnation, schema::NodeControl::Client control, std::uint64_t epoch);
  void remove(std::uint64_t incarnation);
  // How to reach a node that has registered; null if it has not, or is gone.
  kj::Maybe<schema::NodeControl::Client> control(std::uint64_t incarnation);
  // A heartbeat came, from a node that acts in `epoch`.
  void heard(std::uint64_t incarnation, std::uint64_t epoch);

  // The newest epoch that a registered node has acted in; 0 if none is known.
  std::uint64_t newestEpochOf(std::uint64_t incarnation) const {
    auto found = targets.find(incarnation);
    return found == targets.end() ? 0 : found->second->acknowledged;
  }

private:
  struct Target: public kj::Refcounted {
    std::uint64_t incarnation;
    schema::NodeControl::Client control;
    std::uint64_t acknowledged = 0;
    std::uint64_t pushing = 0;  // Epoch of the newest call under way.

    Target(std::uint64_t incarnation, schema::NodeControl::Client control)
        : incarnation(incarnation), control(kj::mv(control)) {}
  };

  kj::Timer& timer;
  kj::Duration deadline;
  kj::Function<void(std::uint64_t, std::uint64_t)> acknowledged;
  Configuration current;
  std::map<std::uint64_t, kj::Own<Target>> targets;
  kj::TaskSet tasks;

  void push(Target& target);
  void acknowledge(Target& target, std::uint64_t epoch);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel::master
