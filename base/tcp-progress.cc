#include "base/tcp-progress.h"

#include <kj/exception.h>

#include "base/tcp-info.h"

namespace gavel {

kj::Maybe<TcpProgress> tcpProgressOf(kj::AsyncIoStream& stream) {
  kj::byte answer[TCP_INFO_ROOM];
  unsigned size = sizeof(answer);
  auto unknown = kj::runCatchingExceptions(
      [&]() { stream.getsockopt(TCP_INFO_LEVEL, TCP_INFO_OPTION, answer, &size); });
  TcpInfo info;
  if (unknown != nullptr || !readTcpInfo(answer, size, info)) return nullptr;
  TcpProgress progress;
  progress.acked = info.bytesAcked;
  progress.outstanding = info.unacked > 0 || info.notSentBytes > 0;
  progress.windowOpen = !info.knowsSendWindow || info.sendWindow > 0;
  return progress;
}

}  // namespace gavel
