#include "master/link-reports.h"

#include <algorithm>

#include "base/planted.h"

namespace gavel::master {
namespace {

// A report that is not repeated expires, but not before this.
constexpr auto LEAST_EXPIRY = 1 * kj::SECONDS;

std::string describe(const LinkReport& report, const Member& reporter, const Member& peer) {
  if (report.state == LinkReport::State::pathDead) {
    return "what " + reporter.name + " sends does not reach " + peer.name;
  }
  return peer.name + " does not answer what " + reporter.name + " sends, though it gets there";
}

bool areNeighbours(const Configuration& current, std::uint64_t a, std::uint64_t b) {
  for (std::size_t i = 0; i + 1 < current.members.size(); ++i) {
    auto first = current.members[i].incarnation;
    auto second = current.members[i + 1].incarnation;
    if ((first == a && second == b) || (first == b && second == a)) return true;
  }
  return false;
}

}  // namespace

bool LinkReports::report(const LinkReport& report, const Configuration& current,
                         kj::TimePoint now) {
  if (report.epoch != current.epoch) return false;
  if (!areNeighbours(current, report.reporter, report.peer)) return false;
  if (epoch != current.epoch) {
    told.clear();
    ends.clear();
    epoch = current.epoch;
  }
  Key key{report.reporter, report.peer, report.toSuccessor};
  if (report.state == LinkReport::State::works) return told.erase(key) > 0;
  auto& reporter = *current.find(report.reporter);
  auto& peer = *current.find(report.peer);
  auto since = now - kj::max(0 * kj::SECONDS, report.lasting);
  auto cause = describe(report, reporter, peer);
  auto [at, isNew] = told.emplace(key, Told{since, now, now, cause, report.gating});
  at->second.last = now;
  at->second.gating = report.gating;
  at->second.cause = cause;
  return isNew;
}

void LinkReports::heard(std::uint64_t incarnation, kj::TimePoint now) {
  if (!told.empty()) ends[incarnation].heard = now;
}

void LinkReports::answered(std::uint64_t incarnation, kj::TimePoint began) {
  if (!told.empty()) ends[incarnation].answered = began;
}

void LinkReports::prune(const Configuration& current, const std::set<std::uint64_t>& lost,
                        kj::TimePoint now) {
  auto expiry = kj::max(2 * suspectAfter, kj::Duration(LEAST_EXPIRY));
  std::erase_if(told, [&](auto& each) {
    auto& [key, report] = each;
    return epoch != current.epoch || lost.count(key.reporter) != 0 || lost.count(key.peer) != 0 ||
           now - report.last > expiry;
  });
  if (told.empty()) ends.clear();
}

std::vector<LinkReports::Link> LinkReports::links() const {
  std::vector<Link> all;
  for (auto& [key, report]: told) {
    auto a = std::min(key.reporter, key.peer);
    auto b = std::max(key.reporter, key.peer);
    auto same = std::find_if(all.begin(), all.end(),
                             [&](const Link& link) { return link.a == a && link.b == b; });
    if (same == all.end()) {
      all.push_back({a, b, report.since, report.came, report.cause, report.gating});
      continue;
    }
    same->since = kj::min(same->since, report.since);
    same->came = kj::min(same->came, report.came);
    same->cause += "; " + report.cause;
    same->gating = same->gating || report.gating;
  }
  return all;
}

bool LinkReports::isReported(std::uint64_t a, std::uint64_t b) const {
  return std::any_of(told.begin(), told.end(), [&](auto& each) {
    auto& key = each.first;
    return (key.reporter == a && key.peer == b) || (key.reporter == b && key.peer == a);
  });
}

bool LinkReports::isFresh(const kj::Maybe<kj::TimePoint>& moment, kj::TimePoint came,
                          kj::TimePoint now) const {
  return moment.map([&](auto when) { return when >= came && now - when <= freshness(); })
      .orDefault(false);
}

bool LinkReports::isConfirmed(const Link& link, kj::TimePoint now) const {
  if (planted(Bug::linkReportBeatsLoss)) return true;
  for (auto incarnation: {link.a, link.b}) {
    auto end = ends.find(incarnation);
    if (end == ends.end()) return false;
    if (!isFresh(end->second.heard, link.came, now)) return false;
    if (!isFresh(end->second.answered, link.came, now)) return false;
  }
  return true;
}

std::set<std::uint64_t> LinkReports::toProbe(kj::TimePoint now) const {
  std::set<std::uint64_t> wanted;
  for (auto& link: links()) {
    for (auto incarnation: {link.a, link.b}) {
      auto end = ends.find(incarnation);
      bool known =
          end != ends.end() &&
          end->second.answered
              .map([&](auto when) { return when >= link.came && now - when <= freshness() / 2; })
              .orDefault(false);
      if (!known) wanted.insert(incarnation);
    }
  }
  return wanted;
}

}  // namespace gavel::master
