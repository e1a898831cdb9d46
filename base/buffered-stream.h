#pragma once

#include <vector>

#include <kj/async-io.h>
#include <kj/timer.h>

namespace gavel {

// How many bytes may wait to be sent on the connections of a server, on each and on all together.
struct OutputBudget {
  // A connection with more than this is closed.
  std::size_t most = 16 * 1024 * 1024;
  // Above this total, each connection that then has more than 256 KiB is closed.
  std::size_t mostOfAll = 256 * 1024 * 1024;
  // A connection is closed when one write to it takes longer than this.
  kj::Duration patience = 60 * kj::SECONDS;

  std::size_t used = 0;  // On all connections.
};

// Gathers what is written to a stream, and reads ahead of what is asked for.  So many small
// messages cost few system calls: Cap'n Proto by itself makes one call to write a message and two
// to read one.
//
// What is written leaves at the end of the event loop's turn, or sooner once 16 KiB have gathered.
// write() resolves as soon as the bytes are taken over; the next write reports a failure to send
// them, as with a socket.  While more than 256 KiB wait, write() waits too.
//
// With an OutputBudget this is the server's end of a connection, whose peer may ask for much and
// read nothing (R13).  Then write() never waits.  Instead no further question is read while more
// than 256 KiB wait to be sent, and the connection is closed at the bounds of the budget.  Only one
// end of a connection may have a budget, or both ends could wait for each other.
class BufferedStream final: public kj::AsyncIoStream, private kj::TaskSet::ErrorHandler {
public:
  // `timer` must outlive this object.
  BufferedStream(kj::Own<kj::AsyncIoStream> inner, kj::Timer& timer);
  // `timer` and `budget` must outlive this object.
  BufferedStream(kj::Own<kj::AsyncIoStream> inner, kj::Timer& timer, OutputBudget& budget);
  // Sends as much of what has not left yet as the kernel takes at once.
  ~BufferedStream() noexcept(false);
  KJ_DISALLOW_COPY(BufferedStream);

  kj::Promise<std::size_t> tryRead(void* buffer, std::size_t minBytes,
                                   std::size_t maxBytes) override;
  // Waits until peeked() shows `size` bytes that are not read yet; false if the stream ends before.
  // Must not be called while a read is under way.
  kj::Promise<bool> peek(std::size_t size);
  kj::ArrayPtr<const kj::byte> peeked() const { return ahead.slice(begin, end); }
  // When bytes last arrived.
  kj::TimePoint heard() const { return heard_; }

  kj::Promise<void> write(const void* buffer, std::size_t size) override;
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override { return inner->whenWriteDisconnected(); }
  // Takes effect once all that was written has left.
  void shutdownWrite() override;
  void abortRead() override { inner->abortRead(); }
  void getsockopt(int level, int option, void* value, unsigned* length) override {
    inner->getsockopt(level, option, value, length);
  }
  void setsockopt(int level, int option, const void* value, unsigned length) override {
    inner->setsockopt(level, option, value, length);
  }

private:
  kj::Own<kj::AsyncIoStream> inner;
  kj::Timer& timer;

  kj::Array<kj::byte> ahead;  // Read, and not asked for yet: from `begin` to `end`.
  std::size_t begin = 0;
  std::size_t end = 0;
  kj::TimePoint heard_;
  kj::TimePoint turn;  // The turn in which `fills` reads were made.
  unsigned fills = 0;

  std::vector<kj::byte> gathered;
  std::vector<kj::byte> leaving;
  bool scheduled = false;
  bool writing = false;
  bool closing = false;
  kj::Maybe<OutputBudget&> budget;
  std::size_t budgeted = 0;  // This stream's part of budget.used.
  kj::Maybe<kj::Exception> failure;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> reader;  // Set while reading waits for the peer.
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> room;
  kj::TaskSet tasks;

  std::size_t take(kj::byte* to, std::size_t most);
  kj::Promise<std::size_t> readMore(kj::byte* to, std::size_t have, std::size_t minBytes,
                                    std::size_t maxBytes);
  kj::Promise<void> turnToRead();
  kj::Promise<void> gather();
  kj::Promise<void> flush();
  kj::Promise<void> send();
  std::size_t unsent() const { return gathered.size() + (writing ? leaving.size() : 0); }
  bool stalled() const;
  void account();
  void giveUp(kj::StringPtr why);
  void fail(const kj::Exception& exception);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace gavel
