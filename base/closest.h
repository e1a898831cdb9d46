#pragma once

#include <string>
#include <vector>

namespace gavel {

// Returns the candidate that `text` was probably meant to be; empty if none is near.
std::string closest(const std::string& text, const std::vector<std::string>& candidates);

}  // namespace gavel
