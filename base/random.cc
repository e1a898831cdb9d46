#include "base/random.h"

#include <sys/random.h>

#include <kj/debug.h>

namespace gavel {

std::uint64_t SystemRandom::next() {
  std::uint64_t value = 0;
  ssize_t n = 0;
  KJ_SYSCALL(n = getrandom(&value, sizeof(value), 0));
  KJ_ASSERT(n == sizeof(value), "getrandom() gave too little", n);
  return value;
}

}  // namespace gavel
