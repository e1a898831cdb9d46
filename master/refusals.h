#pragma once

#include <cstddef>
#include <map>
#include <string>

#include <kj/time.h>

#include "master/membership.h"

namespace gavel::master {

// Who asked to be registered and was not, for the operator: the last of each name, until a node of
// that name is registered or forgotten.  Bounded, as strangers may ask (R13): the oldest goes
// first.
class Refusals {
public:
  struct Refused {
    Member member;
    std::string why;
    kj::TimePoint at;
    std::string about;  // Of a reason whose words differ each time: what stays of it.
  };

  // Returns whether it is news: a node may ask again and again.
  // `about` is `why` without what differs each time, such as the time of day.
  bool note(const Member& member, const std::string& why, const std::string& about,
            kj::TimePoint now);
  // Returns whether there was one.
  bool forget(const std::string& name) { return byName.erase(name) > 0; }

  const std::map<std::string, Refused>& all() const { return byName; }

private:
  static constexpr std::size_t MOST = 32;

  std::map<std::string, Refused> byName;
};

}  // namespace gavel::master
