#include "chain/link-watch.h"

#include "base/logging.h"

namespace gavel::chain {
namespace {

// How often an idle link is asked to carry much.
constexpr auto LARGE_EVERY = 1 * kj::SECONDS;
// How often in one `patience` a link that is used or in trouble is checked, and how often trouble
// is reported.
constexpr std::int64_t CHECKS = 4;
constexpr std::int64_t TELLINGS = 4;

}  // namespace

LinkWatch::LinkWatch(Host& host, kj::Timer& timer, kj::Duration patience)
    : host(host),
      timer(timer),
      patience(patience),
      progress(patience, timer.now()),
      lastCheck(timer.now()),
      lastLarge(timer.now()),
      toldAt(timer.now()),
      tasks(*this) {
  tasks.add(run());
}

void LinkWatch::connected() {
  isConnected = true;
  ++connection;
}

void LinkWatch::attached() {
  isAttached = true;
  checking = false;
  // What is resent comes first; the first check comes soon after.
  lastCheck = timer.now();
  lastLarge = timer.now() - LARGE_EVERY + patience / CHECKS;
}

void LinkWatch::sent(std::size_t bytes) {
  sentSince += bytes;
  sentAnything = true;
}

void LinkWatch::disconnected() {
  isConnected = false;
  isAttached = false;
  checking = false;
  ++connection;
}

kj::Promise<void> LinkWatch::run() {
  return timer.afterDelay(progress.lookEvery()).then([this]() {
    look();
    return run();
  });
}

void LinkWatch::look() {
  using Connection = LinkProgress::Connection;
  if (!isConnected) {
    progress.look(timer.now(), Connection::none);
  } else {
    KJ_IF_MAYBE (kernel, host.progress()) {
      progress.look(timer.now(), Connection::known, *kernel);
    } else {
      progress.look(timer.now(), Connection::opaque);
    }
  }
  checkIfDue();
  tell();
  if (isConnected && progress.hopeless()) host.linkHopeless();
}

void LinkWatch::checkIfDue() {
  if (!isAttached || checking) return;
  auto now = timer.now();
  bool soon = now - lastCheck >= patience / CHECKS;
  bool inTrouble = progress.trouble() != nullptr;
  // What a busy link carries anyway is as good as a large check.
  bool large = (now - lastLarge >= LARGE_EVERY && sentSince < LARGE_CHECK) || (inTrouble && soon);
  if (now - lastLarge >= LARGE_EVERY && !large) {
    lastLarge = now;
    sentSince = 0;
  }
  if (!large && !(soon && sentAnything)) return;
  checking = true;
  lastCheck = now;
  sentAnything = false;
  if (large) {
    lastLarge = now;
    sentSince = 0;
  }
  progress.asked(now);
  tasks.add(host.check(large ? LARGE_CHECK : 0)
                .then(
                    [this, large, number = connection]() {
                      if (number != connection) return;
                      checking = false;
                      progress.answered(timer.now(), large);
                    },
                    [this, number = connection](kj::Exception&& exception) {
                      if (number != connection) return;
                      checking = false;
                      // The end of a connection is noticed elsewhere.  Everything else
                      // is an answer.
                      if (exception.getType() == kj::Exception::Type::DISCONNECTED) return;
                      progress.answered(timer.now(), false);
                      host.linkRefused(kj::mv(exception));
                    }));
}

void LinkWatch::tell() {
  auto now = timer.now();
  KJ_IF_MAYBE (trouble, progress.trouble()) {
    if (told && now - toldAt < patience / TELLINGS) return;
    told = true;
    toldAt = now;
    host.linkTrouble(*trouble);
  } else if (told) {
    told = false;
    host.linkTrouble(nullptr);
  }
}

void LinkWatch::taskFailed(kj::Exception&& exception) {
  die("the watch over a link broke down", {{"error", exception.getDescription()}});
}

}  // namespace gavel::chain
