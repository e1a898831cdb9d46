#pragma once

#include <cstdint>

#include <kj/async-io.h>

namespace gavel {

// What the kernel at this end knows of the bytes that were written to a connection (R6).  The
// kernels' acknowledgments arrive even while the process at the other end does not run.
struct TcpProgress {
  // Bytes that the other end's kernel has said it has.
  std::uint64_t acked = 0;
  // Other bytes were written: they are on their way or not sent yet.
  bool outstanding = false;
  // The other end's kernel has room for more.
  bool windowOpen = true;
};

// Returns null where nothing is known: the stream is a UNIX socket, or broken.  This works with TLS
// as well, which passes the question on to the socket.
kj::Maybe<TcpProgress> tcpProgressOf(kj::AsyncIoStream& stream);

}  // namespace gavel
