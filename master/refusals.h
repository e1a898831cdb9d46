#pragma once

#include <cstddef>
#include <map>
#include <string>

#include <kj/time.h>

#include "master/membership.h"

namespace gavel::master {

// The nodes that were refused registration, for the operator: the last one of each name, until a
// node of that name is registered or forgotten.  Their number is bounded, as strangers may ask
// (R13): the oldest goes first.
class Refusals {
public:
  struct Refused {
    Member member;
    std::string why;
    kj::TimePoint at;
    std::string about;  // The part of the reason that is the same each time: see note().
  };

  // Returns whether the refusal is news: a node may ask again and again.  `about` is `why` without
  // the part that differs each time, such as the time of day.
  bool note(const Member& member, const std::string& why, const std::string& about,
            kj::TimePoint now);
  // Returns whether there was a refusal of that name.
  bool forget(const std::string& name) { return byName.erase(name) > 0; }

  const std::map<std::string, Refused>& all() const { return byName; }

private:
  static constexpr std::size_t MOST = 32;

  std::map<std::string, Refused> byName;
};

}  // namespace gavel::master
