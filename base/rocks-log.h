#pragma once

#include <cstdarg>
#include <cstdio>
#include <string_view>

#include <rocksdb/env.h>

#include "base/logging.h"

namespace gavel {

// Writes RocksDB's messages about itself into the process's log.  By default RocksDB has a file of
// its own for them, and ends the process without a message when there is no room for that.
class RocksLog final: public rocksdb::Logger {
public:
  RocksLog(): Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}

  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    Logv(rocksdb::InfoLogLevel::INFO_LEVEL, format, arguments);
  }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < GetInfoLogLevel()) return;
    char text[1024];
    std::vsnprintf(text, sizeof(text), format, arguments);
    logEvent(level == rocksdb::InfoLogLevel::WARN_LEVEL ? LogLevel::debug : LogLevel::warning,
             "from RocksDB", {{"text", std::string_view(text)}});
  }
};

}  // namespace gavel
