#pragma once

#include <mutex>

#include "base/file-system.h"
#include "chain/disk-activity.h"

namespace gavel::chain {

// Counts the calls that write to a disk, and measures those that wait for it, for another thread to
// look at.
class DiskMonitor {
public:
  enum class Kind { write, sync };

  // One call, from its construction to its end.
  class Call {
  public:
    Call(DiskMonitor& monitor, Kind kind): monitor(monitor), kind(kind) { monitor.began(kind); }
    ~Call() { monitor.ended(kind); }
    KJ_DISALLOW_COPY(Call);

  private:
    DiskMonitor& monitor;
    const Kind kind;
  };

  DiskMonitor() = default;
  KJ_DISALLOW_COPY(DiskMonitor);

  DiskActivity activity() const;

private:
  using Duration = RecentDurations::Duration;

  mutable std::mutex mutex;
  std::uint64_t ended_ = 0;
  unsigned underWay = 0;
  unsigned syncsUnderWay = 0;
  Duration syncBegan{0};  // Of the one under way that began last.
  RecentDurations syncs;

  void began(Kind kind);
  void ended(Kind kind);
};

// Passes everything on, and tells a monitor of what is written and synced.
class MonitoredFiles final: public FileSystem {
public:
  // Both outlive this object and its files.
  MonitoredFiles(FileSystem& inner, DiskMonitor& monitor): inner(inner), monitor(monitor) {}

  std::unique_ptr<File> open(const std::string& path, Missing missing) override;
  std::unique_ptr<File> openToRead(const std::string& path) override {
    return inner.openToRead(path);
  }
  std::unique_ptr<File> lock(const std::string& path) override { return inner.lock(path); }
  bool exists(const std::string& path) override { return inner.exists(path); }
  bool isDirectory(const std::string& path) override { return inner.isDirectory(path); }
  std::vector<std::string> list(const std::string& path) override { return inner.list(path); }
  bool makeDirectories(const std::string& path) override { return inner.makeDirectories(path); }
  void rename(const std::string& from, const std::string& to) override { inner.rename(from, to); }
  void removeAll(const std::string& path) override { inner.removeAll(path); }
  void syncDirectory(const std::string& path) override;
  rocksdb::Env* environment() override { return inner.environment(); }

private:
  FileSystem& inner;
  DiskMonitor& monitor;
};

}  // namespace gavel::chain
