#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include <kj/common.h>
#include <kj/time.h>

namespace gavel::master {

// Makes nodes wait that are lost again and again soon after they have joined, as each join costs
// the chain work and two changes of configuration.
//
// A node that was a member for `forgive` without a loss has a clean record.  Each loss before that
// counts.  After the first one it may join again at once: a crash is no habit.  After the second it
// waits for `delay` from the loss on, after each further one twice as long, up to 60 times `delay`.
//
// Nodes are known by name, since a restarted process is another incarnation and a replaced disk
// another store.  Kept in memory: a restarted master begins with clean records.
//
// Pure: no clock, I/O or promises.  `now` never goes backwards.
class Flapping {
public:
  // How many names are remembered; those lost the longest ago are forgotten first.
  static constexpr std::size_t LIMIT = 1000;

  // A `delay` of more than a day is taken for one of a day.
  Flapping(kj::Duration delay, kj::Duration forgive)
      : delay(kj::min(delay, 1 * kj::DAYS)), forgive(forgive) {}

  // It is a member from now on, be it syncing or serving.  Nothing changes if it was one before.
  void joined(const std::string& name, kj::TimePoint now);
  // It is no member any more, as it was lost.
  void lost(const std::string& name, kj::TimePoint now);
  // It is no member any more, for another reason.
  void left(const std::string& name) { members.erase(name); }
  // An operator vouches for it.
  void reset(const std::string& name) { records.erase(name); }

  // How long it has to wait from now on before it may join again.
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
