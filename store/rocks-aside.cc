#include "store/rocks-aside.h"

#include <algorithm>

#include <kj/debug.h>

#include "store/rocks-read.h"

namespace gavel {
namespace {

constexpr char MAGIC[] = "gaveldr1";
constexpr std::size_t MAGIC_BYTES = 8;
constexpr std::size_t BYTES_AT_ONCE = 1024 * 1024;

void writeBatches(File& file, const SegmentedLog& log, RocksShared& shared, std::uint64_t after) {
  std::string text(MAGIC, MAGIC_BYTES);
  std::uint64_t offset = 0;
  auto flush = [&]() {
    file.write(offset, bytesOfText(text));
    offset += text.size();
    text.clear();
  };
  for (;;) {
    auto batches = readBatches(log, shared, after, BYTES_AT_ONCE);
    for (auto& batch: batches) {
      text += encodeNumber(batch->bytes().size());
      auto chars = batch->bytes().asChars();
      text.append(chars.begin(), chars.size());
    }
    flush();
    if (batches.empty()) return;
    after = batches.back()->lastIndex();
  }
}

void copyTo(FileSystem& files, const std::string& path, const SegmentedLog& log,
            RocksShared& shared, std::uint64_t after) {
  auto unfinished = path + "-new";
  files.removeAll(unfinished);
  auto file = files.open(unfinished, FileSystem::Missing::make);
  writeBatches(*file, log, shared, after);
  file->sync();
  files.rename(unfinished, path);
}

}  // namespace

std::string copyAside(const RocksDatabase& database, const SegmentedLog& log, RocksShared& shared,
                      std::uint64_t after, std::uint64_t epoch) {
  auto path = database.directory.dropped(epoch);
  auto& files = database.directory.files();
  if (files.exists(path)) return path;
  std::uint64_t start = 0;
  {
    std::lock_guard<std::mutex> lock(shared.mutex);
    start = shared.logStart.index;
  }
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 copyTo(files, path, log, shared, std::max(after, start));
                 database.directory.sync();
               })) {
    database.fail(*exception, "keep aside what an operator's order drops");
  }
  return path;
}

}  // namespace gavel
