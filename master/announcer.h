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

// Sends the configuration in force to every registered node, member or not, until the node has
// acknowledged it.
//
// A call that fails or is late is made again at the node's next heartbeat.  A node that is
// connected but silent is sent nothing more, as calls would only pile up there.
class Announcer final: private kj::TaskSet::ErrorHandler {
public:
  // Calls `acknowledged` whenever a node acts in a newer epoch than was known of it.
  Announcer(kj::Timer& timer, kj::Duration deadline,
            kj::Function<void(std::uint64_t incarnation, std::uint64_t epoch)> acknowledged);
  KJ_DISALLOW_COPY(Announcer);

  void announce(const Configuration& configuration);

  // A node has registered, acting in `epoch`.  Replaces an earlier connection of the same
  // incarnation.
  void add(std::uint64_t incarnation, schema::NodeControl::Client control, std::uint64_t epoch);
  void remove(std::uint64_t incarnation);
  // Returns how to reach a registered node; null if it has not registered, or is gone.
  kj::Maybe<schema::NodeControl::Client> control(std::uint64_t incarnation);
  // A node that acts in `epoch` has sent a heartbeat.
  void heard(std::uint64_t incarnation, std::uint64_t epoch);

  // Returns the newest epoch in which a registered node has acted; 0 if none is known.
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
