#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include <kj/common.h>
#include <kj/time.h>

namespace gavel::master {

// Makes a node wait that is lost again and again soon after it has joined.  Each join costs the
// chain work and two changes of configuration.
//
// A node that was a member for `forgive` without a loss has a clean record.  Each earlier loss
// counts.  After the first one the node may join again at once: a crash is no habit.  After the
// second it waits for `delay`, counted from the loss.  Each further loss doubles that, up to 60
// times `delay`.
//
// Nodes are known by name, since a restarted process is another incarnation and a replaced disk is
// another store.  The records are in memory: a restarted master begins with clean ones.
//
// Pure: no clock, I/O or promises.  `now` never goes backwards.
class Flapping {
public:
  // How many names are remembered; those lost the longest ago are forgotten first.
  static constexpr std::size_t LIMIT = 1000;

  // A `delay` of more than a day counts as a day.
  Flapping(kj::Duration delay, kj::Duration forgive)
      : delay(kj::min(delay, 1 * kj::DAYS)), forgive(forgive) {}

  // The node is a member from now on, syncing or serving.  Nothing changes if it already is one.
  void joined(const std::string& name, kj::TimePoint now);
  // The node has left the chain, because it was lost.
  void lost(const std::string& name, kj::TimePoint now);
  // The node has left the chain for another reason.
  void left(const std::string& name) { members.erase(name); }
  // An operator vouches for the node.
  void reset(const std::string& name) { records.erase(name); }

  // Returns how long the node still has to wait before it may join again.
  kj::Duration wait(const std::string& name, kj::TimePoint now) const;

private:
  struct Record {
    unsigned losses;
    kj::TimePoint lastLoss;
  };

  kj::Duration delay;
  kj::Duration forgive;
  std::map<std::string, kj::TimePoint> members;  // Since when.
  std::map<std::string, Record> records;
};

}  // namespace gavel::master
