#include "base/logging.h"

#include <chrono>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <unistd.h>

#include <capnp/compat/json.h>
#include <capnp/message.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace gavel {
namespace {

std::string processName = "gavel";
LogFormat logFormat = LogFormat::text;
LogSink* logSink = nullptr;

spdlog::level::level_enum toSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string timestamp() {
  using namespace std::chrono;
  auto now = system_clock::now();
  auto seconds = floor<std::chrono::seconds>(now);
  auto time = system_clock::to_time_t(seconds);
  struct tm parts {};
  gmtime_r(&time, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     duration_cast<microseconds>(now - seconds).count());
}

// Quotes a value that would be hard to distinguish from its surroundings.
std::string readable(const std::string& value) {
  bool plain = !value.empty();
  for (char c: value) {
    if (c == ' ' || c == '"' || c == '=' || static_cast<unsigned char>(c) < 0x20) plain = false;
  }
  if (plain) return value;
  capnp::JsonCodec codec;
  capnp::MallocMessageBuilder message;
  auto json = message.initRoot<capnp::json::Value>();
  json.setString(value.c_str());
  return codec.encodeRaw(json).cStr();
}

std::string asText(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  auto name = spdlog::level::to_string_view(toSpdlog(level));
  return fmt::format("{} {} {} {}", timestamp(), std::string_view(name.data(), name.size()),
                     processName, logText(event, fields));
}

std::string asJson(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  auto name = spdlog::level::to_string_view(toSpdlog(level));
  capnp::MallocMessageBuilder message;
  auto object = message.initRoot<capnp::json::Value>().initObject(4 + fields.size());
  unsigned position = 0;
  auto add = [&](std::string_view key, std::string_view value) {
    object[position].setName(kj::StringPtr(std::string(key).c_str()));
    object[position].initValue().setString(std::string(value).c_str());
    ++position;
  };
  add("ts", timestamp());
  add("level", std::string_view(name.data(), name.size()));
  add("who", processName);
  add("event", event);
  for (auto& field: fields) add(field.name, field.value);
  capnp::JsonCodec codec;
  return codec.encodeRaw(message.getRoot<capnp::json::Value>().asReader()).cStr();
}

}  // namespace

void setUpLogging(std::string_view who, LogFormat format, LogLevel level) {
  processName = who;
  logFormat = format;
  auto logger =
      std::make_shared<spdlog::logger>("gavel", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%v");
  logger->set_level(toSpdlog(level));
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(logger);
}

void setLogSink(LogSink* sink) {
  logSink = sink;
}

std::string logText(std::string_view event, std::initializer_list<LogField> fields) {
  std::string line(event);
  for (auto& field: fields) line += fmt::format(" {}={}", field.name, readable(field.value));
  return line;
}

void logEvent(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (logSink != nullptr) {
    logSink->event(level, event, fields);
    return;
  }
  auto* logger = spdlog::default_logger_raw();
  if (!logger->should_log(toSpdlog(level))) return;
  logger->log(toSpdlog(level), logFormat == LogFormat::json ? asJson(level, event, fields)
                                                            : asText(level, event, fields));
}

void logDebug(std::string_view event, std::initializer_list<LogField> fields) {
  logEvent(LogLevel::debug, event, fields);
}
void logInfo(std::string_view event, std::initializer_list<LogField> fields) {
  logEvent(LogLevel::info, event, fields);
}
void logWarning(std::string_view event, std::initializer_list<LogField> fields) {
  logEvent(LogLevel::warning, event, fields);
}
void logError(std::string_view event, std::initializer_list<LogField> fields) {
  logEvent(LogLevel::error, event, fields);
}

void die(std::string_view event, std::initializer_list<LogField> fields) {
  if (logSink != nullptr) logSink->died(event, fields);
  logError(event, fields);
  _exit(EXIT_FAILURE);
}

void KjLogForwarder::logMessage(kj::LogSeverity severity, const char* file, int line,
                                int contextDepth, kj::String&& text) {
  auto level = LogLevel::debug;
  switch (severity) {
    case kj::LogSeverity::INFO:
    case kj::LogSeverity::DBG:
      break;
    case kj::LogSeverity::WARNING:
      level = LogLevel::warning;
      break;
    case kj::LogSeverity::ERROR:
    case kj::LogSeverity::FATAL:
      level = LogLevel::error;
      break;
  }
  logEvent(level, "library message", {{"file", file}, {"line", line}, {"text", text}});
}

}  // namespace gavel
