#include "base/closest.h"

#include <algorithm>

namespace gavel {

std::string closest(const std::string& text, const std::vector<std::string>& candidates) {
  auto distance = [](const std::string& a, const std::string& b) {  // Optimal string alignment.
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
      for (std::size_t j = 1; j <= b.size(); ++j) {
        d[i][j] = std::min(
            {d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
          d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
      }
    }
    return d[a.size()][b.size()];
  };
  std::string best;
  std::size_t bestDistance = std::max<std::size_t>(1, text.size() / 3) + 1;
  if (text.size() > 64) return best;
  for (auto& candidate: candidates) {
    auto length = distance(text, candidate);
    if (length < bestDistance) {
      best = candidate;
      bestDistance = length;
    }
  }
  return best;
}

}  // namespace gavel
