#include "client/bench/report.h"

#include <algorithm>
#include <cstdio>

namespace gavel::client::cli {
namespace {

constexpr const char* CAME[CAME_KINDS] = {"success", "tooLow", "refused", "unavailable", "unknown"};

std::string decimal(double value, int digits) {
  char text[64];
  snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

std::string milliseconds(std::int64_t nanoseconds) {
  return decimal(double(nanoseconds) / 1e6, 3) + " ms";
}

// The values that both forms of output show.
struct Summary {
  double seconds;
  std::uint64_t bids = 0;  // Accepted while counting.
  std::uint64_t results = 0;
  Percentiles bidLatency;
  Percentiles resultLatency;
  Gap gap;
  std::vector<Gap> gapsOfKills;
};

double rate(std::uint64_t count, double seconds) {
  return seconds > 0 ? double(count) / seconds : 0;
}

Summary summarize(BenchResult& result) {
  Summary summary;
  auto end = result.counted / kj::NANOSECONDS;
  summary.seconds = double(end) / 1e9;
  auto total = [end](const std::vector<Sample>& samples) {
    std::uint64_t count = 0;
    for (auto& sample: samples) count += sample.at <= end ? sample.weight : 0;
    return count;
  };
  auto& seen = result.seen;
  summary.bids = total(seen.bids);
  summary.results = total(seen.results);
  summary.bidLatency = percentilesOf(seen.bids);
  summary.resultLatency = percentilesOf(seen.results);
  sortByTime(seen.bids);
  summary.gap = longestGap(seen.bids, 0, end, end);
  for (auto& kill: result.kills) {
    auto until = end;  // Gaps up to the next kill are due to this one.
    for (auto& other: result.kills) {
      if (other.killedAt > kill.killedAt) until = std::min(until, other.killedAt - 1);
    }
    bool done = kill.killedAt >= 0;
    summary.gapsOfKills.push_back(done ? longestGap(seen.bids, kill.killedAt, until, end) : Gap());
  }
  return summary;
}

void addLatency(JsonLine& line, kj::StringPtr name, const Percentiles& latency) {
  auto text =
      kj::str("{\"p50\":\"", latency.p50, "\",\"p90\":\"", latency.p90, "\",\"p99\":\"",
              latency.p99, "\",\"p99.9\":\"", latency.p999, "\",\"max\":\"", latency.max, "\"}");
  line.raw(name, text);
}

void printJson(Context& context, const BenchResult& result, const Summary& summary) {
  auto& plan = result.plan;
  auto& seen = result.seen;
  JsonLine line;
  line.raw("seconds", decimal(summary.seconds, 3).c_str())
      .number("clients", plan.clients)
      .number("inFlight", plan.inFlight)
      .number("auctions", plan.auctions)
      .number("bidders", plan.bidders)
      .number("batch", plan.batch)
      .number("bids", summary.bids)
      .raw("bidsPerSecond", decimal(rate(summary.bids, summary.seconds), 1).c_str());
  addLatency(line, "bidLatencyNs", summary.bidLatency);
  line.number("results", summary.results)
      .raw("resultsPerSecond", decimal(rate(summary.results, summary.seconds), 1).c_str());
  addLatency(line, "resultLatencyNs", summary.resultLatency);
  std::string came = "{";
  for (unsigned i = 0; i < CAME_KINDS; ++i) {
    came += (i == 0 ? "\"" : ",\"") + std::string(CAME[i]) + "\":\"" +
            std::to_string(seen.came[i]) + "\"";
  }
  line.raw("outcomes", (came + "}").c_str())
      .number("failedResults", seen.failedResults)
      .number("longestGapNs", static_cast<std::uint64_t>(summary.gap.length()))
      .number("longestGapAtNs", static_cast<std::uint64_t>(summary.gap.from));
  std::string kills = "[";
  for (std::size_t i = 0; i < result.kills.size(); ++i) {
    auto& kill = result.kills[i];
    if (kill.killedAt < 0) continue;
    kills += (kills.size() > 1 ? "," : "") +
             std::string(kj::str("{\"role\":\"", kill.role.c_str(), "\",\"process\":\"",
                                 kill.process.c_str(), "\",\"atNs\":\"", kill.killedAt,
                                 "\",\"longestGapNs\":\"", summary.gapsOfKills[i].length(), "\"}")
                             .cStr());
  }
  line.raw("kills", (kills + "]").c_str());
  if (plan.callsPerSecond > 0) {
    line.number("late", seen.late).number("mostLateNs", static_cast<std::uint64_t>(seen.mostLate));
    line.number("notMade", seen.notMade);
  }
  if (result.cpuTime) line.number("cpuNs", static_cast<std::uint64_t>(*result.cpuTime));
  if (result.verdict) {
    line.number("verified", result.verdict->verified)
        .number("appeared", result.verdict->appeared)
        .boolean("kept", result.verdict->problems.empty() && seen.problems.empty());
  }
  context.print.result(line);
}

std::string describe(const Percentiles& latency) {
  return "p50 " + milliseconds(latency.p50) + ", p90 " + milliseconds(latency.p90) + ", p99 " +
         milliseconds(latency.p99) + ", p99.9 " + milliseconds(latency.p999) + ", max " +
         milliseconds(latency.max);
}

void printText(Context& context, const BenchResult& result, const Summary& summary) {
  auto& plan = result.plan;
  auto& seen = result.seen;
  auto print = [&](const std::string& name, const std::string& value) {
    context.print.result((name + std::string(16 - name.size(), ' ') + value).c_str());
  };
  print("bids", std::to_string(summary.bids) + " accepted in " + decimal(summary.seconds, 2) +
                    " s: " + decimal(rate(summary.bids, summary.seconds), 0) + " a second");
  print(plan.batch == 1 ? "latency" : "latency of lists", describe(summary.bidLatency));
  if (plan.resultShare > 0) {
    print("results", std::to_string(summary.results) + ": " +
                         decimal(rate(summary.results, summary.seconds), 0) + " a second");
    print("latency", describe(summary.resultLatency));
  }
  std::string others;
  for (unsigned i = 0; i < CAME_KINDS; ++i) {
    if (seen.came[i] == 0) continue;
    others += (others.empty() ? "" : ", ") + std::to_string(seen.came[i]) + " " + CAME[i];
  }
  print("outcomes", others.empty() ? "none" : others);
  if (!seen.refusal.empty()) print("refused", printable(seen.refusal.c_str()));
  if (seen.failedResults > 0) {
    print("results", std::to_string(seen.failedResults) + " without an answer");
  }
  if (plan.callsPerSecond > 0) {
    print("late", seen.late == 0 ? "none: all calls were made when they were due"
                                 : std::to_string(seen.late) + " calls were made up to " +
                                       milliseconds(seen.mostLate) +
                                       " after they were due, from where their latency counts");
    if (seen.notMade > 0) {
      print("not made", std::to_string(seen.notMade) +
                            " calls that were due: too many others had " + "no answer");
    }
  }
  print("longest gap", milliseconds(summary.gap.length()) + " without an accepted bid, " +
                           decimal(double(summary.gap.from) / 1e9, 3) + " s after the beginning");
  for (std::size_t i = 0; i < result.kills.size(); ++i) {
    auto& kill = result.kills[i];
    print("killed", kill.killedAt < 0 ? "no " + kill.role + ": there was none"
                                      : "the " + kill.role + ", " + kill.process + ", after " +
                                            decimal(double(kill.killedAt) / 1e9, 3) +
                                            " s: " + milliseconds(summary.gapsOfKills[i].length()) +
                                            " without an accepted bid");
  }
  if (result.cpuTime) {
    print("CPU time", decimal(double(*result.cpuTime) / 1000 /
                                  double(std::max<std::uint64_t>(
                                      1, seen.came[static_cast<unsigned>(Came::success)])),
                              2) +
                          " µs for each accepted bid, of the processes of --pids");
  }
  if (!result.verdict) return print("verified", "no: the histories were not read");
  auto& verdict = *result.verdict;
  if (!verdict.problems.empty() || !seen.problems.empty()) return;  // They were printed already.
  auto unknown = verdict.appeared == 0 ? std::string()
                                       : "; of unknown outcome, " +
                                             std::to_string(verdict.appeared) + " are there too";
  print("verified", "all " + std::to_string(verdict.verified) +
                        " accepted bids, warm-up included, are in the histories exactly once" +
                        unknown);
}

}  // namespace

void printResult(Context& context, BenchResult& result) {
  auto summary = summarize(result);
  for (auto& problem: result.seen.problems) context.print.error(problem);
  if (result.verdict) {
    for (auto& problem: result.verdict->problems) context.print.error(problem);
  }
  if (context.print.json) {
    printJson(context, result, summary);
  } else {
    printText(context, result, summary);
  }
}

}  // namespace gavel::client::cli
