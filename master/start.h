#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include <kj/common.h>
#include <kj/time.h>

#include "master/membership.h"

namespace gavel::master {

// What a master that has started waits for before it decides anything (R11): its store may be an
// older copy, or an empty one in the place of another.  So first it hears every serving member of
// its document, or finds at its address that it is gone, or has asked there for `wait` without an
// answer; one with nothing in its store waits that long for nodes that belong to a cluster.
//
// Pure: no clock, I/O or promises.
class Start {
public:
  Start(const Configuration& stored, kj::Duration wait, kj::TimePoint now);

  // That member was heard, or its address has answered or refused.
  void answered(std::uint64_t incarnation) { awaited.erase(incarnation); }
  // Whether decisions may begin.  Once true, always true.
  bool over(kj::TimePoint now);
  kj::TimePoint end() const { return since + wait; }

  // Whom to ask now, at which address: each again when the last question has ended.
  std::vector<Member> takeQuestions();
  // The question to that member has ended without an answer.
  void silent(std::uint64_t incarnation);
  // Names of those that are awaited, for people.
  std::string describe() const;

private:
  struct Awaited {
    Member member;
    bool asking = false;
  };

  kj::Duration wait;
  kj::TimePoint since;
  bool empty;
  bool done = false;
  std::map<std::uint64_t, Awaited> awaited;  // By incarnation.
};

}  // namespace gavel::master
