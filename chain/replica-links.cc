#include <kj/debug.h>

#include "base/logging.h"
#include "base/planted.h"
#include "chain/replica.h"

// A replica and those it is linked to in an epoch: its neighbours, and the tail with the head.
namespace gavel::chain {
namespace {

// How long this node tries to say to a predecessor that its link is over.
constexpr auto FAREWELL_TIMEOUT = 1 * kj::SECONDS;
// How much later than the head the nodes between hear what is committed.  So one message to them,
// and from them, is for many batches.  Nobody waits for it there, since a read asks the tail (R10).
constexpr auto COMMIT_PAUSE = 2 * kj::MILLISECONDS;
// How long a neighbour may take to answer a large message in a trial.
constexpr auto TRIAL_TIMEOUT = 2 * kj::SECONDS;

}  // namespace

// Answers at once, since the predecessor takes silence for a link that does not work (R6).  While
// this node is not ready, the answer is to try again.
kj::Promise<void> Replica::attach(AttachContext context, PredecessorLink::Progress progress) {
  auto params = context.getParams();
  auto header = Header::read(params.getHeader());
  auto version = schema::PROTOCOL_VERSION;
  KJ_REQUIRE(params.getProtocolVersion() == version,
             "the predecessor speaks another version of the protocol", params.getProtocolVersion(),
             version);
  if (header.receiver == self && header.epoch > configuration.epoch) {
    // The peer that shows a higher epoch brings the configuration along (R1).
    auto newer = Configuration::read(params.getConfiguration());
    KJ_REQUIRE(newer.epoch == header.epoch && newer.clusterId == header.clusterId,
               "an attachment whose configuration is of another epoch", newer.epoch, header.epoch);
    tasks.add(adopt(newer));
  }
  auto result = context.getResults().initResult();
  if (reject(header, [&]() { return result.initRejected(); })) return kj::READY_NOW;
  auto* predecessor = configuration.predecessor(self);
  if (predecessor == nullptr || predecessor->incarnation != header.sender) {
    auto rejected = result.initRejected();
    rejected.setReason(schema::Rejection::Reason::NOT_ADDRESSED);
    rejected.setDetail("the caller is not this node's predecessor");
    return kj::READY_NOW;
  }
  if (rebuilding > 0) {
    auto rejected = result.initRejected();
    rejected.setReason(schema::Rejection::Reason::BUSY);
    rejected.setDetail("this node is still bringing its log in line");
    return kj::READY_NOW;
  }
  // What was asked over the link before may never be answered.
  if (predecessorLink != nullptr) confirm.interrupt();
  retirePredecessorLink();
  if (role() == Role::syncing) requireBound(readPosition(params.getEnd()));
  auto kind =
      role() == Role::syncing ? PredecessorLink::Kind::syncing : PredecessorLink::Kind::serving;
  auto link =
      kj::heap<PredecessorLink>(static_cast<PredecessorLink::Host&>(*this), timer, linkPatience,
                                kind, header, params.getAcks(), kj::mv(progress));
  auto attached = result.initAttached();
  attached.setLink(link->capability());
  attached.setChecks(link->capability());
  writePosition(log_.end(), attached.initEnd());
  predecessorLink = kj::mv(link);
  for (auto& waiter: predecessorWaiters) waiter->fulfill();
  predecessorWaiters.clear();
  logInfo(
      "predecessor attached",
      {{"epoch", header.epoch}, {"predecessor", predecessor->name}, {"index", log_.end().index}});
  return kj::READY_NOW;
}

void Replica::heardConfiguration(const Configuration& newer) {
  tasks.add(adopt(newer));
}

void Replica::successorUnreachable(std::uint64_t epoch, const Member& successor,
                                   kj::StringPtr reason) {
  observer.unreachable(epoch, successor, reason);
}

void Replica::successorTrouble(std::uint64_t epoch, const Member& successor,
                               kj::Maybe<const LinkTrouble&> trouble) {
  tellTrouble(epoch, successor, LinkDirection::toSuccessor, trouble);
}

void Replica::predecessorTrouble(std::uint64_t epoch, kj::Maybe<const LinkTrouble&> trouble) {
  auto* predecessor = configuration.predecessor(self);
  if (predecessor == nullptr) return;
  tellTrouble(epoch, *predecessor, LinkDirection::toPredecessor, trouble);
}

void Replica::tellTrouble(std::uint64_t epoch, const Member& peer, LinkDirection direction,
                          kj::Maybe<const LinkTrouble&> trouble) {
  if (!actsIn(epoch)) return;
  auto lasting = 0 * kj::NANOSECONDS;
  kj::Maybe<LinkCause> cause;
  KJ_IF_MAYBE (found, trouble) {
    lasting = timer.now() - found->since;
    cause = found->cause;
  }
  observer.linkTrouble({epoch, peer, direction, cause, lasting, !peer.serving && gating()});
}

// -- the tail and the head

void Replica::reportCommits() {
  auto* head = configuration.head();
  if (!isTail(role()) || isHead(role()) || head == configuration.predecessor(self)) return;
  commitSender = kj::heap<CommitSender>(static_cast<CommitSender::Host&>(*this), network, timer,
                                        configuration, self);
}

kj::Promise<void> Replica::commitIsDue() {
  KJ_IF_MAYBE (sender, commitSender) {
    if ((*sender)->attached()) return timer.afterDelay(COMMIT_PAUSE);
  }
  return kj::READY_NOW;
}

void Replica::hearCommits(ReportContext context) {
  auto header = Header::read(context.getParams().getHeader());
  auto result = context.getResults().initResult();
  if (reject(header, [&]() { return result.initRejected(); })) return;
  if (!isHead(role()) || configuration.tail()->incarnation != header.sender) {
    auto rejected = result.initRejected();
    rejected.setReason(schema::Rejection::Reason::NOT_ADDRESSED);
    rejected.setDetail(
        "this node is not the head of the caller's chain, or the caller not its tail");
    return;
  }
  KJ_IF_MAYBE (old, commitReceiver) {
    (*old)->close();
  }
  auto receiver = kj::heap<CommitReceiver>(static_cast<CommitReceiver::Host&>(*this), header);
  result.setCommits(receiver->capability());
  commitReceiver = kj::mv(receiver);
}

// -- trying them

// Tries the links to the neighbours only: if each member of a chain is asked, each link is tried.
kj::Promise<void> Replica::tryLinksOnce() {
  return confirmed().then([this](std::uint64_t epoch) -> kj::Promise<void> {
    if (!actsIn(epoch)) return relinked();
    kj::Vector<kj::Promise<void>> answers;
    auto* successor = configuration.successor(self);
    if (successor != nullptr && successor->serving) {
      answers.add(answeredBy(*successor, KJ_ASSERT_NONNULL(successorLink)->tryLarge()));
    }
    KJ_IF_MAYBE (link, predecessorLink) {
      answers.add(answeredBy(*configuration.predecessor(self), (*link)->tryLarge()));
    }
    return kj::joinPromises(answers.releaseAsArray()).then([this, epoch]() -> kj::Promise<void> {
      if (!actsIn(epoch)) return relinked();
      return kj::READY_NOW;
    });
  });
}

kj::Promise<void> Replica::answeredBy(const Member& neighbour, kj::Promise<void> answer) {
  return timer.timeoutAfter(TRIAL_TIMEOUT, kj::mv(answer))
      .catch_([name = neighbour.name](kj::Exception&& exception) -> kj::Promise<void> {
        return kj::Exception(kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
                             kj::str("its link with ", name.c_str(), " carries no large message (",
                                     exception.getDescription(), ")"));
      });
}

// -- leaving an epoch

// A link may be on the stack of what made it obsolete, so it ends in a later turn.
void Replica::retireSuccessorLink() {
  KJ_IF_MAYBE (old, successorLink) {
    (*old)->close();
    tasks.add(kj::evalLater([old = kj::mv(*old)]() {}));
    successorLink = nullptr;
  }
}

void Replica::retirePredecessorLink() {
  KJ_IF_MAYBE (old, predecessorLink) {
    auto told = timer.timeoutAfter(FAREWELL_TIMEOUT, (*old)->close());
    tasks.add(told.catch_([](kj::Exception&&) {}));
    tasks.add(kj::evalLater([old = kj::mv(*old)]() {}));
    predecessorLink = nullptr;
  }
}

void Replica::retireCommitLinks() {
  KJ_IF_MAYBE (old, commitReceiver) {
    (*old)->close();
    tasks.add(kj::evalLater([old = kj::mv(*old)]() {}));
    commitReceiver = nullptr;
  }
  KJ_IF_MAYBE (old, commitSender) {
    tasks.add(kj::evalLater([old = kj::mv(*old)]() {}));
    commitSender = nullptr;
  }
}

}  // namespace gavel::chain
