#include "chain/chain-confirm.h"

#include <kj/debug.h>

#include "base/logging.h"
#include "base/planted.h"

namespace gavel::chain {
namespace {

// Longer than it takes to notice and remove a silent member, which ends the confirm sooner.
constexpr auto TIMEOUT = 2 * kj::SECONDS;

kj::Exception hanging() {
  return KJ_EXCEPTION(OVERLOADED, "the disk of a member does not answer: try again");
}

}  // namespace

kj::Exception relinked() {
  return KJ_EXCEPTION(OVERLOADED, "the chain is being re-linked: try again");
}

ChainConfirm::ChainConfirm(Host& host, kj::Timer& timer): host(host), timer(timer), tasks(*this) {}

kj::Promise<void> ChainConfirm::confirmed() {
  if (!isServing(host.role())) {
    return KJ_EXCEPTION(OVERLOADED, "this node serves in no chain now: try again");
  }
  if (planted(Bug::readWithoutConfirm)) return kj::READY_NOW;
  if (planted(Bug::joinConfirmAsAsker) && !underWay.empty()) return join(underWay);
  schedule();
  return join(next);
}

kj::Promise<void> ChainConfirm::join(std::vector<Asker>& askers) {
  auto paf = kj::newPromiseAndFulfiller<void>();
  askers.push_back(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

// Begins the confirm at the end of the turn, for all who ask in it.
void ChainConfirm::schedule() {
  if (scheduled) return;
  scheduled = true;
  tasks.add(kj::evalLast([this]() { return run(); }));
}

kj::Promise<void> ChainConfirm::run() {
  underWay = kj::mv(next);
  next.clear();
  return canceler.wrap(timer.timeoutAfter(TIMEOUT, kj::evalNow([this]() { return ask(); })))
      .then([this]() { answer(nullptr); },
            [this](kj::Exception&& exception) {
              answer(kj::Exception(
                  kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
                  kj::str("the chain does not confirm that it is still the chain: try again (",
                          exception.getDescription(), ")")));
            })
      .then([this]() {
        scheduled = false;
        if (!next.empty()) schedule();
      });
}

void ChainConfirm::answer(kj::Maybe<kj::Exception> failure) {
  for (auto& asker: underWay) {
    KJ_IF_MAYBE (exception, failure) {
      asker->reject(kj::cp(*exception));
    } else {
      asker->fulfill();
    }
  }
  underWay.clear();
}

kj::Promise<void> ChainConfirm::ask() {
  // The epoch may have ended since this was scheduled.
  if (!isServing(host.role())) return relinked();
  if (host.diskHangs()) return hanging();
  kj::Promise<void> above =
      isHead(host.role()) ? kj::Promise<void>(kj::READY_NOW) : host.confirmByPredecessor();
  auto below = isTail(host.role()) ? answerAsTail() : host.confirmBySuccessor();
  return above.then([below = kj::mv(below)]() mutable { return kj::mv(below); })
      .then([this](std::uint64_t commit) { host.confirmedCommit(commit); });
}

kj::Promise<void> ChainConfirm::upward() {
  if (host.diskHangs()) return hanging();
  if (isHead(host.role()) || planted(Bug::confirmByNeighbour)) return kj::READY_NOW;
  if (planted(Bug::joinConfirmAsRelay) && !underWay.empty()) return join(underWay);
  return canceler.wrap(host.confirmByPredecessor());
}

kj::Promise<std::uint64_t> ChainConfirm::downward() {
  if (host.role() == Role::waiting) return relinked();
  if (host.diskHangs()) return hanging();
  // A joiner is only asked whether it is still here.
  if (host.role() == Role::syncing) return host.commitIndex();
  if (planted(Bug::joinConfirmAsRelay) && !underWay.empty()) {
    return join(underWay).then([this]() { return host.commitIndex(); });
  }
  return canceler.wrap(isTail(host.role()) ? answerAsTail() : host.confirmBySuccessor());
}

kj::Promise<std::uint64_t> ChainConfirm::answerAsTail() {
  return host.whenPastBarrier().then([this]() -> kj::Promise<std::uint64_t> {
    if (!host.gating()) return host.commitIndex();
    return host.confirmBySuccessor().then([this](std::uint64_t) { return host.commitIndex(); });
  });
}

std::size_t ChainConfirm::waiting() {
  // Those who have gone meanwhile are not worth a confirm.
  std::erase_if(next, [](Asker& asker) { return !asker->isWaiting(); });
  return next.size();
}

void ChainConfirm::interrupt() {
  answer(relinked());
  canceler.cancel(relinked());
}

void ChainConfirm::stop() {
  for (auto& asker: next) asker->reject(relinked());
  next.clear();
  interrupt();
}

void ChainConfirm::taskFailed(kj::Exception&& exception) {
  die("the chain confirm broke down", {{"error", exception.getDescription()}});
}

}  // namespace gavel::chain
