#include "client/bench/verify.h"

#include <algorithm>

#include "client/bench/check.h"

namespace gavel::client::cli {
namespace {

constexpr unsigned AT_A_TIME = 32;  // Histories read at a time.
constexpr std::uint32_t PAGE = 1000;
constexpr std::size_t MOST_PROBLEMS = 20;

class Verification {
public:
  Verification(Client& client, const LoadPlan& plan, const std::vector<Told>& told)
      : client(client), plan(plan), next(told.data()), end(told.data() + told.size()) {}

  kj::Promise<Verdict> run() {
    kj::Vector<kj::Promise<void>> all;
    for (unsigned i = 0; i < AT_A_TIME; ++i) all.add(checkNext());
    return kj::joinPromises(all.releaseAsArray()).then([this]() { return std::move(verdict); });
  }

private:
  Client& client;
  const LoadPlan& plan;
  const Told* next;
  const Told* end;
  Verdict verdict;

  kj::Promise<void> checkNext() {
    if (next == end) return kj::READY_NOW;
    auto begin = next;
    while (next != end && next->auction == begin->auction) ++next;
    auto name = plan.auctionName(begin->auction);
    auto check = kj::heap<HistoryCheck>(name, plan.bidderPrefix(), begin, next);
    auto read = this->read(name, 1, *check);
    return read.then([this, check = kj::mv(check)]() {
      verdict.verified += check->verified();
      verdict.appeared += check->appeared();
      for (auto& problem: check->problems()) complain(problem);
      return checkNext();
    });
  }

  kj::Promise<void> read(std::string name, std::uint64_t from, HistoryCheck& check) {
    return client.history(name.c_str(), from, PAGE)
        .then([this, name, from, &check](HistoryPage page) -> kj::Promise<void> {
          if (page.get().hasFailure()) {
            complain("auction \"" + name + "\": its history cannot be read, so that nothing is " +
                     "known of it, nor of those that come after it: " +
                     page.get().getFailure().getDetail().cStr());
            next = end;  // Each would take as long as this one.
            return kj::READY_NOW;
          }
          auto following = from;
          for (auto version: page.get().getVersions()) {
            check.add(version);
            following = version.getVersion() + 1;
          }
          if (page.get().getMore() && following > from) return read(name, following, check);
          check.finish();
          return kj::READY_NOW;
        });
  }

  void complain(const std::string& problem) {
    if (verdict.problems.size() < MOST_PROBLEMS) verdict.problems.push_back(problem);
  }
};

}  // namespace

kj::Promise<Verdict> verifyHistories(Client& client, const LoadPlan& plan,
                                     const std::vector<Told>& told) {
  auto verification = kj::heap<Verification>(client, plan, told);
  auto promise = verification->run();
  return promise.attach(kj::mv(verification));
}

}  // namespace gavel::client::cli
