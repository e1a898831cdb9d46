#pragma once

#include <mutex>

#include "base/passing-files.h"
#include "store/disk-activity.h"

namespace gavel {

// Counts the calls that write to a disk, and measures those that sync it.  Another thread may look
// at both.
class DiskMonitor {
public:
  enum class Kind { write, sync };

  // One call, from this object's construction to its destruction.
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
  Duration syncBegan{0};  // When the newest one under way began.
  RecentDurations syncs;

  void began(Kind kind);
  void ended(Kind kind);
};

// Passes everything on, and reports to a monitor what is written and synced.
class MonitoredFiles final: public PassingFiles {
public:
  // Both outlive this object and its files.
  MonitoredFiles(FileSystem& inner, DiskMonitor& monitor): PassingFiles(inner), monitor(monitor) {}

  std::unique_ptr<File> open(const std::string& path, Missing missing) override;
  void syncDirectory(const std::string& path) override;

private:
  DiskMonitor& monitor;
};

}  // namespace gavel
