#include "client/cli/credential.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/io.h>

#include "client/cli/exit-code.h"

namespace gavel::client::cli {
namespace {

constexpr std::size_t NEW_BYTES = 32;
constexpr std::size_t FEWEST_BYTES = 16;
constexpr std::size_t MOST_BYTES = 64;

[[noreturn]] void fail(const std::string& what, const std::string& path, int error) {
  throw EnvironmentError("cannot " + what + " credential file " + path + ": " + strerror(error));
}

// Returns null if there is no such file.
kj::Maybe<kj::Array<kj::byte>> read(const std::string& path, void (*warn)(const std::string&)) {
  int raw = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (raw < 0) {
    if (errno == ENOENT) return nullptr;
    fail("read", path, errno);
  }
  kj::AutoCloseFd fd(raw);
  struct stat info {};
  if (fstat(fd, &info) != 0) fail("read", path, errno);
  if ((info.st_mode & 077) != 0 && S_ISREG(info.st_mode)) {
    warn("others may read credential file " + path + "; run: chmod 600 " + path);
  }
  kj::byte buffer[MOST_BYTES + 1];
  std::size_t size = 0;
  while (size < sizeof(buffer)) {
    auto n = ::read(fd, buffer + size, sizeof(buffer) - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("read", path, errno);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  if (size < FEWEST_BYTES || size > MOST_BYTES) {
    throw EnvironmentError("credential file " + path + " has " +
                           (size > MOST_BYTES ? "more than 64" : std::to_string(size)) +
                           " bytes; 16 to 64 are needed");
  }
  return kj::heapArray(buffer, size);
}

// Makes the file as a whole or not at all.  If another process was first, its file stays.
void create(const std::string& path, Random& random) {
  std::error_code error;
  auto directory = std::filesystem::path(path).parent_path();
  if (!directory.empty() && !std::filesystem::exists(directory, error)) {
    std::filesystem::create_directories(directory, error);
    if (error) {
      throw EnvironmentError("cannot make directory " + directory.string() + ": " +
                             error.message());
    }
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
  }
  auto temporary = path + "." + std::to_string(getpid()) + "." + std::to_string(random.id());
  int raw = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (raw < 0) fail("make", path, errno);
  kj::AutoCloseFd fd(raw);
  std::uint64_t secret[NEW_BYTES / sizeof(std::uint64_t)];
  for (auto& word: secret) word = random.next();
  bool written = write(fd, secret, sizeof(secret)) == sizeof(secret) && fsync(fd) == 0;
  int problem = errno;
  if (written && link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    written = false;
    problem = errno;
  }
  unlink(temporary.c_str());
  if (!written) fail("make", path, problem);
}

}  // namespace

std::string configDirectory() {
  if (auto* base = std::getenv("XDG_CONFIG_HOME"); base != nullptr && *base == '/') {
    return std::string(base) + "/gavel";
  }
  if (auto* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return std::string(home) + "/.config/gavel";
  }
  if (auto* user = getpwuid(getuid()); user != nullptr && user->pw_dir != nullptr) {
    return std::string(user->pw_dir) + "/.config/gavel";
  }
  throw EnvironmentError("no home directory: set HOME or XDG_CONFIG_HOME");
}

kj::Array<kj::byte> loadCredential(const std::string& path, Random& random,
                                   void (*warn)(const std::string&)) {
  KJ_IF_MAYBE (credential, read(path, warn)) {
    return kj::mv(*credential);
  }
  create(path, random);
  KJ_IF_MAYBE (credential, read(path, warn)) {
    return kj::mv(*credential);
  }
  fail("read", path, ENOENT);
}

}  // namespace gavel::client::cli
