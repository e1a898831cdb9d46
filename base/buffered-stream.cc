#include "base/buffered-stream.h"

#include <algorithm>
#include <cstring>

#include <kj/debug.h>

#include "base/logging.h"

namespace gavel {
namespace {

// Each connection has this buffer, an idle one too.  It holds about 50 small messages.
constexpr std::size_t READ_AHEAD = 8 * 1024;
// Reads of one connection before the event loop looks at its clock and at other connections.
constexpr unsigned FILLS_PER_TURN = 32;
// Large enough to make a system call cheap by the byte, and small enough for the peer to work on it
// while the rest of a long turn goes on.  Compared with 64 KiB, this gives 1.1 times the single
// bids over one connection, and 1.5 times over ten.
constexpr std::size_t FLUSH_AT = 16 * 1024;
constexpr std::size_t MAX_GATHERED = 256 * 1024;

}  // namespace

BufferedStream::BufferedStream(kj::Own<kj::AsyncIoStream> inner, kj::Timer& timer)
    : inner(kj::mv(inner)),
      timer(timer),
      ahead(kj::heapArray<kj::byte>(READ_AHEAD)),
      heard_(timer.now()),
      turn(timer.now()),
      tasks(*this) {}

BufferedStream::BufferedStream(kj::Own<kj::AsyncIoStream> inner, kj::Timer& timer,
                               OutputBudget& budget)
    : BufferedStream(kj::mv(inner), timer) {
  this->budget = budget;
}

BufferedStream::~BufferedStream() noexcept(false) {
  KJ_IF_MAYBE (shared, budget) {
    shared->used -= budgeted;
  }
  if (writing || failure != nullptr || gathered.empty()) return;
  kj::runCatchingExceptions(
      [this]() { auto last = inner->write(gathered.data(), gathered.size()); });
}

// -- reading

std::size_t BufferedStream::take(kj::byte* to, std::size_t most) {
  auto count = std::min(most, end - begin);
  std::memcpy(to, ahead.begin() + begin, count);
  begin += count;
  return count;
}

kj::Promise<std::size_t> BufferedStream::tryRead(void* buffer, std::size_t minBytes,
                                                 std::size_t maxBytes) {
  auto* to = static_cast<kj::byte*>(buffer);
  auto have = take(to, maxBytes);
  if (have >= minBytes) return have;
  return readMore(to, have, minBytes, maxBytes);
}

kj::Promise<bool> BufferedStream::peek(std::size_t size) {
  KJ_REQUIRE(size <= ahead.size());
  if (end - begin >= size) return true;
  std::memmove(ahead.begin(), ahead.begin() + begin, end - begin);
  end -= begin;
  begin = 0;
  return inner->tryRead(ahead.begin() + end, size - end, ahead.size() - end)
      .then([this, size](std::size_t count) {
        end += count;
        return end - begin >= size;
      });
}

kj::Promise<std::size_t> BufferedStream::readMore(kj::byte* to, std::size_t have,
                                                  std::size_t minBytes, std::size_t maxBytes) {
  return turnToRead().then([this, to, have, minBytes, maxBytes]() -> kj::Promise<std::size_t> {
    // A large read goes straight into the caller's buffer.
    if (maxBytes - have >= READ_AHEAD) {
      return inner->tryRead(to + have, minBytes - have, maxBytes - have)
          .then([this, have](std::size_t count) {
            heard_ = timer.now();
            return have + count;
          });
    }
    return inner->tryRead(ahead.begin(), 1, ahead.size())
        .then([this, to, have, minBytes, maxBytes](std::size_t count) -> kj::Promise<std::size_t> {
          begin = 0;
          end = count;
          heard_ = timer.now();
          if (count == 0) return have;
          auto now = have + take(to + have, maxBytes - have);
          if (now >= minBytes) return now;
          return readMore(to, now, minBytes, maxBytes);
        });
  });
}

// A peer that sends without a break must not keep the event loop from everything else: as long as
// there is something to read, KJ does not ask the kernel for other events.
kj::Promise<void> BufferedStream::turnToRead() {
  KJ_IF_MAYBE (exception, failure) {
    return kj::cp(*exception);
  }
  if (stalled()) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    reader = kj::mv(paf.fulfiller);
    return paf.promise.then([this]() { return turnToRead(); });
  }
  auto now = timer.now();
  if (now != turn) {
    turn = now;
    fills = 0;
  }
  if (++fills <= FILLS_PER_TURN) return kj::READY_NOW;
  fills = 0;
  return timer.afterDelay(0 * kj::SECONDS);
}

// -- writing

kj::Promise<void> BufferedStream::write(const void* buffer, std::size_t size) {
  KJ_IF_MAYBE (exception, failure) {
    return kj::cp(*exception);
  }
  auto* bytes = static_cast<const kj::byte*>(buffer);
  gathered.insert(gathered.end(), bytes, bytes + size);
  return gather();
}

kj::Promise<void> BufferedStream::write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  KJ_IF_MAYBE (exception, failure) {
    return kj::cp(*exception);
  }
  for (auto& piece: pieces) gathered.insert(gathered.end(), piece.begin(), piece.end());
  return gather();
}

kj::Promise<void> BufferedStream::gather() {
  if (!writing) {
    if (gathered.size() >= FLUSH_AT) {
      tasks.add(flush());
    } else if (!scheduled) {
      scheduled = true;
      tasks.add(kj::evalLast([this]() {
        scheduled = false;
        return flush();
      }));
    }
  }
  if (budget != nullptr) {
    account();
    return kj::READY_NOW;
  }
  if (gathered.size() <= MAX_GATHERED) return kj::READY_NOW;
  KJ_REQUIRE(room == nullptr, "already writing");
  auto paf = kj::newPromiseAndFulfiller<void>();
  room = kj::mv(paf.fulfiller);
  return kj::mv(paf.promise);
}

kj::Promise<void> BufferedStream::flush() {
  if (writing) return kj::READY_NOW;
  if (gathered.empty()) {
    if (closing) inner->shutdownWrite();
    closing = false;
    return kj::READY_NOW;
  }
  writing = true;
  leaving.swap(gathered);
  gathered.clear();
  KJ_IF_MAYBE (waiter, room) {
    (*waiter)->fulfill();
    room = nullptr;
  }
  return send().then([this]() {
    writing = false;
    if (leaving.capacity() > MAX_GATHERED) leaving = {};
    account();
    return flush();
  });
}

kj::Promise<void> BufferedStream::send() {
  auto sent = inner->write(leaving.data(), leaving.size());
  KJ_IF_MAYBE (shared, budget) {
    return sent.exclusiveJoin(timer.afterDelay(shared->patience).then([this]() {
      giveUp("nothing that was sent has been read for long");
    }));
  }
  return sent;
}

// True while so much is unsent that nothing more is read from the peer.
bool BufferedStream::stalled() const {
  return budget != nullptr && unsent() > MAX_GATHERED;
}

// Updates the budget after bytes were gathered or have left.  Closes the connection at a bound, and
// lets reading go on below it.
void BufferedStream::account() {
  KJ_IF_MAYBE (shared, budget) {
    shared->used += unsent() - budgeted;
    budgeted = unsent();
    if (budgeted > shared->most) {
      giveUp("too much that it has asked for waits to be read");
    } else if (stalled() && shared->used > shared->mostOfAll) {
      giveUp("too much waits to be read on all connections together");
    }
    if (stalled()) return;
    KJ_IF_MAYBE (waiter, reader) {
      (*waiter)->fulfill();
      reader = nullptr;
    }
  }
}

void BufferedStream::shutdownWrite() {
  closing = true;
  if (!writing && gathered.empty()) tasks.add(flush());
}

void BufferedStream::giveUp(kj::StringPtr why) {
  if (failure != nullptr) return;
  logWarning("closing a connection", {{"reason", why}, {"unsentBytes", unsent()}});
  fail(KJ_EXCEPTION(DISCONNECTED, "the connection was closed", why));
  // Cap'n Proto learns that a connection is over by reading.
  inner->abortRead();
}

void BufferedStream::fail(const kj::Exception& exception) {
  failure = kj::cp(exception);
  gathered = {};
  account();
  for (auto* waiter: {&room, &reader}) {
    KJ_IF_MAYBE (fulfiller, *waiter) {
      (*fulfiller)->reject(kj::cp(exception));
    }
    *waiter = nullptr;
  }
}

void BufferedStream::taskFailed(kj::Exception&& exception) {
  if (failure == nullptr) fail(exception);
}

}  // namespace gavel
