#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include <kj/common.h>
#include <kj/time.h>

namespace gavel::simulation {

// What happened in a run, one line per event: virtual time in seconds, process, what.
//
//     12.034518 n2 info adopted configuration epoch=3 role=head ...
//
// The text is only made if somebody wants it; a hash of everything is always kept, so that two runs
// can be compared.  Lines of the wire (every delivery) go into the hash, and into the text if asked
// for.
class Trace {
public:
  enum class Detail { none, events, wire };

  explicit Trace(Detail detail): detail(detail) {}
  KJ_DISALLOW_COPY(Trace);

  bool wantsWire() const { return detail == Detail::wire; }
  void line(kj::Duration time, std::string_view who, std::string_view text);
  // Notes events that are too frequent for a text each.
  void wire(kj::Duration time, std::uint64_t from, std::uint64_t to, std::uint64_t what);
  // The text to wire(), if wantsWire().
  void explain(kj::Duration time, std::string_view who, std::string_view text);

  std::uint64_t hash() const { return hash_; }
  const std::string& text() const { return text_; }
  // Text goes there as it comes, and is not kept.
  void writeTo(std::FILE* file) { this->file = file; }

private:
  Detail detail;
  std::uint64_t hash_ = 0;
  std::string text_;
  std::FILE* file = nullptr;

  void put(kj::Duration time, std::string_view who, std::string_view text);
};

}  // namespace gavel::simulation
