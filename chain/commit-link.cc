#include "chain/commit-link.h"

#include <algorithm>

#include <kj/debug.h>

#include "base/logging.h"
#include "chain/answer-last.h"

namespace gavel::chain {
namespace {

constexpr auto TIMEOUT = 1 * kj::SECONDS;
constexpr auto FIRST_BACKOFF = 20 * kj::MILLISECONDS;
constexpr auto LONGEST_BACKOFF = 1 * kj::SECONDS;

}  // namespace

CommitSender::CommitSender(const Host& host, kj::Network& network, kj::Timer& timer,
                           const Configuration& configuration, std::uint64_t self)
    : host(host),
      network(network),
      timer(timer),
      head(*KJ_ASSERT_NONNULL(kj::Maybe<const Member*>(configuration.head()))),
      header{configuration.clusterId, configuration.epoch, self, head.incarnation},
      backoff(FIRST_BACKOFF),
      tasks(*this) {
  tasks.add(run());
}

void CommitSender::wake() {
  KJ_IF_MAYBE (fulfiller, idle) {
    (*fulfiller)->fulfill();
    idle = nullptr;
  }
}

kj::Promise<void> CommitSender::run() {
  return attempt()
      .then([]() {},
            [this](kj::Exception&& exception) {
              logDebug("no link to the head", {{"epoch", header.epoch},
                                               {"head", head.name},
                                               {"error", exception.getDescription()}});
            })
      .then([this]() {
        to = nullptr;
        idle = nullptr;
        connection = nullptr;
        auto delay = backoff;
        backoff = std::min(backoff * 2, kj::Duration(LONGEST_BACKOFF));
        return timer.afterDelay(delay);
      })
      .then([this]() { return run(); });
}

kj::Promise<void> CommitSender::attempt() {
  return Connection::open(network, timer, head.address.c_str(), TIMEOUT)
      .then([this](kj::Own<Connection> opened) {
        connection = kj::mv(opened);
        return timer.timeoutAfter(TIMEOUT, attach());
      })
      .then([this]() {
        backoff = FIRST_BACKOFF;
        told = 0;
        return pump().exclusiveJoin(KJ_ASSERT_NONNULL(connection)->onDisconnect());
      });
}

kj::Promise<void> CommitSender::attach() {
  auto request =
      KJ_ASSERT_NONNULL(connection)->bootstrap<schema::NodeService>().reportCommitsRequest();
  header.write(request.initHeader());
  return request.send().then([this](auto&& response) {
    auto result = response.getResult();
    // A newer configuration in the rejection also comes from the master and the neighbours.
    if (!result.isCommits()) {
      kj::throwFatalException(
          kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                        kj::str("the head does not listen: ", result.getRejected().getDetail())));
    }
    to = result.getCommits();
  });
}

kj::Promise<void> CommitSender::pump() {
  auto commit = host.commitIndex();
  if (commit == told) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    idle = kj::mv(paf.fulfiller);
    return paf.promise.then([this]() { return pump(); });
  }
  told = commit;
  auto request = KJ_ASSERT_NONNULL(to).committedRequest();
  header.write(request.initHeader());
  request.setCommit(commit);
  return request.send().then([this]() { return pump(); });
}

void CommitSender::taskFailed(kj::Exception&& exception) {
  die("the link to the head broke down", {{"error", exception.getDescription()}});
}

class CommitReceiver::Server final: public schema::Commits::Server {
public:
  Server(kj::Own<Weak<CommitReceiver>> owner, Header expected)
      : owner(kj::mv(owner)), expected(expected) {}

  kj::Promise<void> committed(CommittedContext context) override {
    auto params = context.getParams();
    KJ_REQUIRE(Header::read(params.getHeader()) == expected, "a message of another link (R1)");
    KJ_IF_MAYBE (receiver, owner->get()) {
      receiver->host.heardCommit(params.getCommit());
      return answerLast();
    }
    return KJ_EXCEPTION(FAILED, "this link is over");
  }

private:
  kj::Own<Weak<CommitReceiver>> owner;
  const Header expected;
};

schema::Commits::Client CommitReceiver::capability() {
  return kj::heap<Server>(anchor.ref(), expected);
}

}  // namespace gavel::chain
