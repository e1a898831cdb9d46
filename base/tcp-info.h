#pragma once

#include <cstddef>
#include <cstdint>

namespace gavel {

// The fields of the kernel's tcp_info that are needed here.  They are read in a file of their own:
// only <linux/tcp.h> has all of them, and it cannot be included beside the C library's header.
struct TcpInfo {
  std::uint64_t bytesAcked = 0;
  std::uint32_t unacked = 0;  // Segments.
  std::uint32_t notSentBytes = 0;
  std::uint32_t sendWindow = 0;  // Bytes; only newer kernels say it.
  bool knowsSendWindow = false;  // The kernel's answer was long enough for it.
};

// More bytes than any kernel answers.
constexpr std::size_t TCP_INFO_ROOM = 512;

// The level and option of getsockopt().
extern const int TCP_INFO_LEVEL;
extern const int TCP_INFO_OPTION;

// Reads an answer of `size` bytes.  Returns false if it is too short.
bool readTcpInfo(const void* answer, std::size_t size, TcpInfo& info);

// The reverse, for simulated networks: writes up to `size` bytes, and returns how many.
std::size_t writeTcpInfo(const TcpInfo& info, void* answer, std::size_t size);

}  // namespace gavel
