#include "base/buffered-stream.h"

#include <algorithm>
#include <cstring>

#include <kj/debug.h>

namespace gavel {
namespace {

// For each connection, also an idle one.  About 50 small messages.
constexpr std::size_t READ_AHEAD = 8 * 1024;
// Of one connection, before the event loop looks at its clock and at other connections.
constexpr unsigned FILLS_PER_TURN = 32;
// Enough for a system call to be cheap by the byte.
constexpr std::size_t FLUSH_AT = 64 * 1024;
constexpr std::size_t MAX_GATHERED = 256 * 1024;

}  // namespace

BufferedStream::BufferedStream(kj::Own<kj::AsyncIoStream> inner, kj::Timer& timer)
    : inner(kj::mv(inner)),
      timer(timer),
      ahead(kj::heapArray<kj::byte>(READ_AHEAD)),
      turn(timer.now()),
      tasks(*this) {}

BufferedStream::~BufferedStream() noexcept(false) {
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

kj::Promise<std::size_t> BufferedStream::readMore(kj::byte* to, std::size_t have,
                                                  std::size_t minBytes, std::size_t maxBytes) {
  return turnToRead().then([this, to, have, minBytes, maxBytes]() -> kj::Promise<std::size_t> {
    // Much goes straight to where it is wanted.
    if (maxBytes - have >= READ_AHEAD) {
      return inner->tryRead(to + have, minBytes - have, maxBytes - have)
          .then([have](std::size_t count) { return have + count; });
    }
    return inner->tryRead(ahead.begin(), 1, ahead.size())
        .then([this, to, have, minBytes, maxBytes](std::size_t count) -> kj::Promise<std::size_t> {
          begin = 0;
          end = count;
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
  return inner->write(leaving.data(), leaving.size()).then([this]() {
    writing = false;
    if (leaving.capacity() > MAX_GATHERED) leaving = {};
    return flush();
  });
}

void BufferedStream::shutdownWrite() {
  closing = true;
  if (!writing && gathered.empty()) tasks.add(flush());
}

void BufferedStream::taskFailed(kj::Exception&& exception) {
  KJ_IF_MAYBE (waiter, room) {
    (*waiter)->reject(kj::cp(exception));
    room = nullptr;
  }
  gathered.clear();
  failure = kj::mv(exception);
}

}  // namespace gavel
