#include "bench/table.h"

#include <algorithm>
#include <functional>
#include <stdio.h>

namespace gavel::bench {
namespace {

using Value = std::function<double(const Row&, std::size_t round)>;

std::vector<double> sorted(const Row& row, const Value& value) {
  std::vector<double> values;
  for (std::size_t i = 0; i < row.rounds.size(); ++i) values.push_back(value(row, i));
  std::sort(values.begin(), values.end());
  return values;
}

double median(const Row& row, const Value& value) {
  auto values = sorted(row, value);
  auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double microseconds(kj::Duration duration) {
  return double(duration / kj::NANOSECONDS) / 1000;
}

double perCall(const Round& round, kj::Duration duration) {
  return microseconds(duration) / double(round.measured.calls);
}

double perSecond(const Row& row, std::size_t i) {
  return row.rounds[i].measured.perSecond;
}

std::string format(const char* how, auto... values) {
  char text[256];
  snprintf(text, sizeof(text), how, values...);
  return text;
}

std::string line(const Row& row, const Row& compared) {
  auto ratio =
      median(row, [&](auto& row, auto i) { return perSecond(row, i) / perSecond(compared, i); });
  auto p50 =
      median(row, [](auto& row, auto i) { return microseconds(row.rounds[i].measured.p50); });
  auto p99 =
      median(row, [](auto& row, auto i) { return microseconds(row.rounds[i].measured.p99); });
  auto client = median(row, [](auto& row, auto i) {
    return perCall(row.rounds[i], row.rounds[i].measured.clientCpu);
  });
  auto elsewhere = median(row, [](auto& row, auto i) { return row.rounds[i].elsewhere; });
  auto speed = sorted(row, perSecond);
  auto result = format("| %s | %.0f | %.0f–%.0f | %.2f | %.2f ms | %.2f ms | %.0f %% | %.1f |",
                       row.name.c_str(), median(row, perSecond), speed.front(), speed.back(), ratio,
                       p50 / 1000, p99 / 1000, 100 * elsewhere, client);
  for (std::size_t server = 0; server < row.rounds.front().serverCpu.size(); ++server) {
    auto cpu = median(row, [&](auto& row, auto i) {
      return perCall(row.rounds[i], row.rounds[i].serverCpu[server]);
    });
    result += format("%s %.1f", server == 0 ? "" : " +", cpu);
  }
  return result + " |\n";
}

}  // namespace

std::string table(const std::vector<Row>& rows) {
  std::string result =
      "| asked | calls/s | lowest–highest | of the echo | p50 | p99 | elsewhere | CPU of the "
      "clients, µs a "
      "call | "
      "CPU of the servers, head to tail, µs a call |\n"
      "|---|--:|--:|--:|--:|--:|--:|--:|--:|\n";
  for (auto& row: rows) result += line(row, rows.front());
  return result;
}

}  // namespace gavel::bench
