#pragma once

#include <cstdarg>
#include <cstdio>
#include <string_view>

#include <rocksdb/env.h>

#include "base/logging.h"

namespace gavel {

// Takes what RocksDB has to say about itself.  A file of its own for that, as by default, ends the
// process without a word to anybody when there is no room left for it.
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
