#include "chain/rocks-aside.h"

#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "chain/rocks-read.h"

namespace gavel::chain {
namespace {

constexpr char MAGIC[] = "gaveldr1";
constexpr std::size_t MAGIC_BYTES = 8;
constexpr std::size_t BYTES_AT_ONCE = 1024 * 1024;

void writeBatches(int file, const SegmentedLog& log, RocksShared& shared, std::uint64_t after) {
  kj::FdOutputStream out(file);
  out.write(MAGIC, MAGIC_BYTES);
  for (;;) {
    auto batches = readBatches(log, shared, after, BYTES_AT_ONCE);
    if (batches.empty()) return;
    for (auto& batch: batches) {
      auto size = encodeNumber(batch->bytes().size());
      out.write(size.data(), size.size());
      out.write(batch->bytes().begin(), batch->bytes().size());
    }
    after = batches.back()->lastIndex();
  }
}

void copyTo(const std::string& path, const SegmentedLog& log, RocksShared& shared,
            std::uint64_t after) {
  auto unfinished = path + "-new";
  int opened = open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (opened < 0) KJ_FAIL_SYSCALL("open", errno, unfinished.c_str());
  kj::AutoCloseFd fd(opened);
  writeBatches(opened, log, shared, after);
  KJ_SYSCALL(fsync(opened), unfinished.c_str());
  KJ_SYSCALL(std::rename(unfinished.c_str(), path.c_str()), path.c_str());
}

}  // namespace

std::string copyAside(const RocksDatabase& database, const SegmentedLog& log, RocksShared& shared,
                      std::uint64_t after, std::uint64_t epoch) {
  auto path = database.directory.dropped(epoch);
  if (DataDirectory::exists(path)) return path;
  std::uint64_t start = 0;
  {
    std::lock_guard<std::mutex> lock(shared.mutex);
    start = shared.logStart.index;
  }
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 copyTo(path, log, shared, std::max(after, start));
                 database.directory.sync();
               })) {
    database.fail(*exception, "keep aside what an operator's order drops");
  }
  return path;
}

}  // namespace gavel::chain
