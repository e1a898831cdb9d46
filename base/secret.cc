#include "base/secret.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/encoding.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/random.h"

namespace gavel {
namespace {

constexpr std::size_t SHORTEST = 16;
constexpr std::size_t LONGEST = 1024;
constexpr std::size_t MADE = 32;

// Without file and line: the text is for the operator.
[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                        kj::str("secret file ", path.c_str(), ": ", why.c_str())));
}

}  // namespace

kj::Array<kj::byte> Secret::prove(const std::string& text) const {
  auto proof = kj::heapArray<kj::byte>(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  auto* made =
      HMAC(EVP_sha256(), bytes.data(), static_cast<int>(bytes.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), proof.begin(), &size);
  KJ_ASSERT(made != nullptr);
  return kj::heapArray(proof.slice(0, size));
}

bool Secret::proves(const std::string& text, kj::ArrayPtr<const kj::byte> proof) const {
  auto expected = prove(text);
  return !empty() && proof.size() == expected.size() &&
         CRYPTO_memcmp(proof.begin(), expected.begin(), expected.size()) == 0;
}

Secret readSecret(const std::string& path) {
  if (path.empty()) return Secret();
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) refuse(path, strerror(errno));
  if ((info.st_mode & 077) != 0) {
    refuse(path, "others may read or write it: chmod 600, and make a new secret if they have");
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream contents;
  contents << file.rdbuf();
  if (!file) refuse(path, "cannot be read");
  auto bytes = contents.str();
  while (!bytes.empty() && (bytes.back() == '\n' || bytes.back() == '\r')) bytes.pop_back();
  if (bytes.size() < SHORTEST || bytes.size() > LONGEST) {
    refuse(path, "holds " + std::to_string(bytes.size()) + " bytes; " + std::to_string(SHORTEST) +
                     " to " + std::to_string(LONGEST) +
                     " are needed, for example of: openssl rand -hex 32");
  }
  return Secret(bytes);
}

void makeSecret(const std::string& path) {
  SystemRandom random;
  std::uint64_t words[MADE / sizeof(std::uint64_t)];
  for (auto& word: words) word = random.next();
  auto bytes = kj::arrayPtr(reinterpret_cast<const kj::byte*>(words), sizeof(words));
  auto text = kj::str(kj::encodeHex(bytes), "\n");
  int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) refuse(path, strerror(errno));
  auto written = write(fd, text.begin(), text.size());
  close(fd);
  if (written != static_cast<ssize_t>(text.size())) refuse(path, "cannot be written");
}

}  // namespace gavel
