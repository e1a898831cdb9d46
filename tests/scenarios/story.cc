#include "tests/scenarios/story.h"

#include <algorithm>
#include <fmt/format.h>

namespace gavel::scenarios {
namespace {

constexpr std::size_t WIDTH = 100;
// Of the names of all nodes.
constexpr std::size_t NAMES = 8;
constexpr const char* DEED = "**";
// Times are told as multiples of this.
constexpr auto TICK = 100 * kj::MICROSECONDS;

// What one does, for several.
std::string plural(std::string words) {
  constexpr std::pair<std::string_view, std::string_view> VERBS[] = {
      {"hears", "hear"}, {"stops", "stop"}, {"starts", "start"}, {"has", "have"}, {"acts", "act"}};
  for (auto& [one, several]: VERBS) {
    for (auto at = words.find(one); at != std::string::npos; at = words.find(one, at + 1)) {
      if (at == 0 || words.substr(at - 2, 2) == ", ") words.replace(at, one.size(), several);
    }
  }
  return words;
}

}  // namespace

std::string Story::text() {
  flush();
  return text_;
}

void Story::title(std::string_view words) {
  text_ += fmt::format("# {}\n#\n", words);
}

void Story::comment(std::string_view words) {
  flush();
  wrap("#", "# ", words);
}

void Story::step(std::string_view words) {
  flush();
  text_ += "\n";
  wrap("--", "   ", words);
  began = engine.now();
  last_ = engine.now();
  toldOnce.clear();
}

void Story::row(std::string_view words) {
  flush();
  text_ += fmt::format("   {}\n", words);
}

void Story::message(std::string_view from, std::string_view to, std::string_view words) {
  event(from, to, words);
}

void Story::messageOnce(std::string_view from, std::string_view to, std::string_view words) {
  if (hushed) return;
  if (toldOnce.insert(fmt::format("{} > {} {}", from, to, words)).second) event(from, to, words);
}

void Story::state(std::string_view who, std::string_view words) {
  event("", who, words);
}

void Story::deed(std::string_view words) {
  event("", DEED, words);
}

void Story::event(std::string_view from, std::string_view to, std::string_view words) {
  if (hushed) return;
  if ((engine.now() - began) / TICK != (last_ - began) / TICK) flush();
  last_ = engine.now();
  for (auto& line: moment) {
    if (line.from != from || line.words != words || to == DEED) continue;
    bool told = std::find(line.to.begin(), line.to.end(), to) != line.to.end();
    if (told && line.to.size() > 1) continue;
    if (told) {
      ++line.times;
    } else {
      line.to.emplace_back(to);
    }
    return;
  }
  moment.push_back({std::string(from), {std::string(to)}, std::string(words)});
}

void Story::flush() {
  auto tenths = (last_ - began) / TICK;
  for (auto& line: moment) {
    std::sort(line.to.begin(), line.to.end());
    std::string to;
    for (auto& each: line.to) to += (to.empty() ? "" : " ") + each;
    auto head = fmt::format("{:6}.{}  {:>2} {} {:<{}} ", tenths / 10, tenths % 10, line.from,
                            line.from.empty() ? ' ' : '>', to, NAMES);
    auto words = line.words;
    if (line.from.empty() && line.to.size() > 1) words = plural(words);
    if (line.times > 1) words += fmt::format(" ({} times)", line.times);
    wrap(head, std::string(head.size() + 1, ' '), words);
  }
  moment.clear();
}

// Words after `first`, and after `others` on the lines that follow, as long as lines may be.
void Story::wrap(std::string first, std::string_view others, std::string_view words) {
  auto line = std::move(first);
  bool begun = false;
  while (!words.empty()) {
    auto end = std::min(words.find(' '), words.size());
    if (begun && line.size() + 1 + end > WIDTH) {
      text_ += line + "\n";
      line = others.substr(0, others.size() - 1);
    }
    line += " " + std::string(words.substr(0, end));
    begun = true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  text_ += line + "\n";
}

}  // namespace gavel::scenarios
