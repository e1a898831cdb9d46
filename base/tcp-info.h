#pragma once

#include <cstddef>
#include <cstdint>

namespace gavel {

// What of the kernel's tcp_info is of use here, read apart from everything else: <linux/tcp.h>,
// which alone has all of it, cannot be included beside the header of the C library.
struct TcpInfo {
  std::uint64_t bytesAcked = 0;
  std::uint32_t unacked = 0;  // Segments.
  std::uint32_t notSentBytes = 0;
  std::uint32_t sendWindow = 0;  // Bytes; of newer kernels.
  bool knowsSendWindow = false;  // The kernel's answer was long enough for it.
};

// More than any kernel's answer.
constexpr std::size_t TCP_INFO_ROOM = 512;

// The level and option of getsockopt().
extern const int TCP_INFO_LEVEL;
extern const int TCP_INFO_OPTION;

// Reads an answer of `size` bytes.  False if it is too short to tell anything.
bool readTcpInfo(const void* answer, std::size_t size, TcpInfo& info);

// The reverse, for networks that are simulated: writes up to `size` bytes, and returns how many.
std::size_t writeTcpInfo(const TcpInfo& info, void* answer, std::size_t size);

}  // namespace gavel
