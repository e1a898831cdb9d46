#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/engine.h"

namespace gavel::scenarios {

// The text of a scenario: comments, steps, and in each step what happens, with the milliseconds
// since it began.
//
//     -- Alice bids 120.
//          1.0  c1 > n1         bid 120 by alice (request 1-2)
//          1.0       n1         log 3
//
// What several are told, or do, in the same moment is one line.
class Story final {
public:
  explicit Story(const simulation::Engine& engine): engine(engine) {}
  KJ_DISALLOW_COPY(Story);

  std::string text();

  // The first line.
  void title(std::string_view words);
  // Lines that begin with #.
  void comment(std::string_view words);
  // Time begins anew.
  void step(std::string_view words);

  // A message that has come to `to`.
  void message(std::string_view from, std::string_view to, std::string_view words);
  // The same, but what was told once in this step is not told again.
  void messageOnce(std::string_view from, std::string_view to, std::string_view words);
  // What has become of a process.
  void state(std::string_view who, std::string_view words);
  // What the scenario does to the world.
  void deed(std::string_view words);
  // A line of a table, without a time.
  void row(std::string_view words);

  // From now on nothing is told, or all again.
  void hush() { hushed = true; }
  void speak() { hushed = false; }
  // When something was told last.
  simulation::Time last() const { return last_; }

private:
  struct Line {
    std::string from;  // Empty: no message.
    std::vector<std::string> to;
    std::string words;
    unsigned times = 1;
  };

  const simulation::Engine& engine;
  std::string text_;
  std::vector<Line> moment;  // Of what was told last.
  bool hushed = false;
  simulation::Time began = 0 * kj::NANOSECONDS;
  simulation::Time last_ = 0 * kj::NANOSECONDS;
  std::set<std::string> toldOnce;

  void wrap(std::string first, std::string_view others, std::string_view words);
  void event(std::string_view from, std::string_view to, std::string_view words);
  void flush();
};

}  // namespace gavel::scenarios
