#pragma once

#include <vector>

#include <kj/async-io.h>
#include <kj/timer.h>

namespace gavel {

// What may wait to be sent on the connections of a server, all together and on each.
struct OutputBudget {
  // A connection with more is given up...
  std::size_t most = 16 * 1024 * 1024;
  // ...as is one that comes to have much when there is more than this on all of them.
  std::size_t mostOfAll = 256 * 1024 * 1024;
  // Nor may the peer take nothing of it for so long.
  kj::Duration patience = 60 * kj::SECONDS;

  std::size_t used = 0;
};

// Gathers what is written to a stream, and reads ahead of what is asked for, so that many small
// messages cost few system calls: Cap'n Proto by itself makes one call to write a message and two
// to read one.
//
// What is written leaves at the end of the event loop's turn, or sooner where much has gathered.
// write() resolves as soon as the bytes are taken over; a failure to send them is told by the next
// write, as with a socket.  Once more than a bound waits, write() waits too.
//
// With an OutputBudget it is the server's end of a connection, whose peer may ask for much and read
// nothing (R13): then it reads no further question while more than a bound waits to be sent, and
// gives the peer up where even so too much waits, or nothing leaves for long.  Never for both ends
// of a connection: they could wait for each other.
class BufferedStream final: public kj::AsyncIoStream, private kj::TaskSet::ErrorHandler {
public:
  // `timer` must outlive this object.
  BufferedStream(kj::Own<kj::AsyncIoStream> inner, kj::Timer& timer);
  // So must `budget`.
  BufferedStream(kj::Own<kj::AsyncIoStream> inner, kj::Timer& timer, OutputBudget& budget);
  // Sends what the kernel takes at once of what has not left yet.
  ~BufferedStream() noexcept(false);
  KJ_DISALLOW_COPY(BufferedStream);

  kj::Promise<std::size_t> tryRead(void* buffer, std::size_t minBytes,
                                   std::size_t maxBytes) override;
  // Waits until `size` bytes can be seen in peeked() that are not read yet; false if the end comes
  // before.  Not while something is being read.
  kj::Promise<bool> peek(std::size_t size);
  kj::ArrayPtr<const kj::byte> peeked() const { return ahead.slice(begin, end); }
  // When something last came.
  kj::TimePoint heard() const { return heard_; }

  kj::Promise<void> write(const void* buffer, std::size_t size) override;
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override { return inner->whenWriteDisconnected(); }
  // After what has been written.
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
  kj::TimePoint turn;  // In which `fills` reads were made.
  unsigned fills = 0;

  std::vector<kj::byte> gathered;
  std::vector<kj::byte> leaving;
  bool scheduled = false;
  bool writing = false;
  bool closing = false;
  kj::Maybe<OutputBudget&> budget;
  std::size_t budgeted = 0;  // Of the budget, by this stream.
  kj::Maybe<kj::Exception> failure;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> reader;  // Waits for the peer to read.
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
