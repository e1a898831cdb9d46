#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include <kj/common.h>
#include <kj/time.h>

#include "master/membership.h"

namespace gavel::master {

// What a master that has started waits for before it decides anything (R11).  Its store may be an
// older copy, or an empty one in the place of another.
//
// It waits for each serving member of its document, until that member is heard, or its address has
// answered or refused, or `wait` has passed.  A master with an empty store waits for `wait`, so
// that nodes that belong to a cluster can register.
//
// Pure: no clock, I/O or promises.
class Start {
public:
  Start(const Configuration& stored, kj::Duration wait, kj::TimePoint now);

  // The member was heard, or its address has answered or refused.
  void answered(std::uint64_t incarnation) { awaited.erase(incarnation); }
  // Whether decisions may begin.  Once true, always true.
  bool over(kj::TimePoint now);
  kj::TimePoint end() const { return since + wait; }

  // Returns the members whose addresses are to be asked now.  One is returned again after silent().
  std::vector<Member> takeQuestions();
  // The question to the member has ended without an answer.
  void silent(std::uint64_t incarnation);
  // Returns the names and addresses of the awaited members, for people.
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
