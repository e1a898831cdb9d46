#pragma once

#include <optional>
#include <string>

#include "master/membership.h"

namespace gavel::master {

// The rules R2, R3, R9 and R11 for two consecutive configurations, written apart from the code that
// makes them.  Returns the rule that is broken.
std::optional<std::string> validate(const Configuration& before, const Configuration& after);

}  // namespace gavel::master
