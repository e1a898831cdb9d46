#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <kj/exception.h>
#include <kj/string.h>

// Logs for operators, through spdlog: one line per event, with its facts as fields.
//
//   text:  2026-11-24T03:12:44.123456Z info n1 adopted configuration epoch=3 role=head last=17
//   json:  {"ts":"2026-…","level":"info","who":"n1","event":"adopted configuration","epoch":"3",…}
namespace gavel {

enum class LogFormat { text, json };
enum class LogLevel { debug, info, warning, error };

// A fact of an event.  It is never a secret.
struct LogField {
  std::string_view name;
  std::string value;

  // `from` is an integer or any kind of string.
  template <typename T>
  LogField(std::string_view name, const T& from): name(name) {
    if constexpr (std::integral<T>) {
      value = std::to_string(from);
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
      value = std::string_view(from);
    } else {
      value = kj::StringPtr(from).cStr();
    }
  }
};

// Call once, before the first event.  `who` is the process's name in each line; lines go to stderr.
void setUpLogging(std::string_view who, LogFormat format, LogLevel level);

void logEvent(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
void logDebug(std::string_view event, std::initializer_list<LogField> fields = {});
void logInfo(std::string_view event, std::initializer_list<LogField> fields = {});
void logWarning(std::string_view event, std::initializer_list<LogField> fields = {});
void logError(std::string_view event, std::initializer_list<LogField> fields = {});

// Logs and ends the process at once, without running destructors: for broken invariants and storage
// faults, after which nothing this process holds may be trusted (R12).
[[noreturn]] void die(std::string_view event, std::initializer_list<LogField> fields = {});

// Takes the place of the log, and of the end of the process, where one process plays several: in a
// simulation.
class LogSink {
public:
  virtual ~LogSink() noexcept(false) = default;

  virtual void event(LogLevel level, std::string_view event,
                     std::initializer_list<LogField> fields) = 0;
  // Is called where the process would end.  Must throw.
  [[noreturn]] virtual void died(std::string_view event,
                                 std::initializer_list<LogField> fields) = 0;
};

// Sets the sink that is used until the next call.  Null, as at the start, means none.
void setLogSink(LogSink* sink);

// Returns an event as it looks in a text log, without time, level and process.
std::string logText(std::string_view event, std::initializer_list<LogField> fields);

// Sends libkj's own log lines of this thread to the log.  Lives on main()'s stack.
class KjLogForwarder final: public kj::ExceptionCallback {
public:
  void logMessage(kj::LogSeverity severity, const char* file, int line, int contextDepth,
                  kj::String&& text) override;
};

}  // namespace gavel
