#include "base/tcp-info.h"

#include <algorithm>
#include <cstring>

// Only this one: <netinet/tcp.h> has a shorter tcp_info under the same name.
#include <linux/tcp.h>

namespace gavel {
namespace {

constexpr int LEVEL = 6;  // IPPROTO_TCP, of a header that is not included here.

#define GAVEL_END_OF(field) (offsetof(tcp_info, field) + sizeof(tcp_info::field))

}  // namespace

const int TCP_INFO_LEVEL = LEVEL;
const int TCP_INFO_OPTION = TCP_INFO;

bool readTcpInfo(const void* answer, std::size_t size, TcpInfo& info) {
  if (size < GAVEL_END_OF(tcpi_notsent_bytes)) return false;
  tcp_info raw = {};
  std::memcpy(&raw, answer, std::min(size, sizeof(raw)));
  info.bytesAcked = raw.tcpi_bytes_acked;
  info.unacked = raw.tcpi_unacked;
  info.notSentBytes = raw.tcpi_notsent_bytes;
  info.knowsSendWindow = size >= GAVEL_END_OF(tcpi_snd_wnd);
  info.sendWindow = info.knowsSendWindow ? raw.tcpi_snd_wnd : 0;
  return true;
}

std::size_t writeTcpInfo(const TcpInfo& info, void* answer, std::size_t size) {
  tcp_info raw = {};
  raw.tcpi_bytes_acked = info.bytesAcked;
  raw.tcpi_unacked = info.unacked;
  raw.tcpi_notsent_bytes = info.notSentBytes;
  raw.tcpi_snd_wnd = info.sendWindow;
  auto whole = info.knowsSendWindow ? sizeof(raw) : GAVEL_END_OF(tcpi_notsent_bytes);
  auto written = std::min(size, whole);
  std::memcpy(answer, &raw, written);
  return written;
}

}  // namespace gavel
