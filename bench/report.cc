#include "bench/report.h"

#include <stdio.h>

#include <kj/debug.h>

namespace gavel::bench {
namespace {

void addSeconds(CLI::App& app, const std::string& name, kj::Duration& duration,
                const std::string& what) {
  app.add_option_function<double>(
         name,
         [&duration](double seconds) {
           duration = static_cast<std::int64_t>(seconds * 1e9) * kj::NANOSECONDS;
         },
         what)
      ->check(CLI::Range(0.0, 3600.0));
}

double microseconds(kj::Duration duration) {
  return double(duration / kj::NANOSECONDS) / 1000;
}

}  // namespace

void declare(CLI::App& app, Load& load) {
  app.add_option("--in-flight", load.inFlight, "Calls under way at any moment")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  addSeconds(app, "--seconds", load.time, "How long it is measured (2)");
  addSeconds(app, "--warm-up", load.warmUp, "Before that (0.2)");
}

std::string json(const Measured& measured, unsigned perCall) {
  KJ_REQUIRE(measured.perSecond > 0, "nothing was answered in the time that counts");
  char text[256];
  snprintf(text, sizeof(text),
           R"({"perSecond": %.1f, "p50Us": %.1f, "p99Us": %.1f, "calls": %llu, "perCall": %u})",
           measured.perSecond * perCall, microseconds(measured.p50), microseconds(measured.p99),
           static_cast<unsigned long long>(measured.calls), perCall);
  return text;
}

}  // namespace gavel::bench
