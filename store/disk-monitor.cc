#include "store/disk-monitor.h"

#include <chrono>
#include <utility>

namespace gavel {
namespace {

std::chrono::nanoseconds now() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

class MonitoredFile final: public PassingFile {
public:
  MonitoredFile(std::unique_ptr<File> inner, DiskMonitor& monitor)
      : PassingFile(std::move(inner)), monitor(monitor) {}

  void write(std::uint64_t offset, kj::ArrayPtr<const kj::byte> bytes) override {
    DiskMonitor::Call call(monitor, DiskMonitor::Kind::write);
    PassingFile::write(offset, bytes);
  }
  void allocate(std::uint64_t size) override {
    DiskMonitor::Call call(monitor, DiskMonitor::Kind::write);
    PassingFile::allocate(size);
  }
  void syncData() override {
    DiskMonitor::Call call(monitor, DiskMonitor::Kind::sync);
    PassingFile::syncData();
  }
  void sync() override {
    DiskMonitor::Call call(monitor, DiskMonitor::Kind::sync);
    PassingFile::sync();
  }

private:
  DiskMonitor& monitor;
};

}  // namespace

DiskActivity DiskMonitor::activity() const {
  std::lock_guard<std::mutex> lock(mutex);
  auto time = now();
  auto unfinished = syncsUnderWay > 0 ? time - syncBegan : Duration(0);
  return {ended_, underWay > 0, syncs.summary(time, unfinished)};
}

void DiskMonitor::began(Kind kind) {
  std::lock_guard<std::mutex> lock(mutex);
  ++underWay;
  if (kind != Kind::sync) return;
  ++syncsUnderWay;
  syncBegan = now();
}

void DiskMonitor::ended(Kind kind) {
  std::lock_guard<std::mutex> lock(mutex);
  --underWay;
  ++ended_;
  if (kind != Kind::sync) return;
  --syncsUnderWay;
  auto time = now();
  syncs.add(time, time - syncBegan);
}

std::unique_ptr<File> MonitoredFiles::open(const std::string& path, Missing missing) {
  return std::make_unique<MonitoredFile>(PassingFiles::open(path, missing), monitor);
}

void MonitoredFiles::syncDirectory(const std::string& path) {
  DiskMonitor::Call call(monitor, DiskMonitor::Kind::sync);
  PassingFiles::syncDirectory(path);
}

}  // namespace gavel
