#include "chain/disk-monitor.h"

#include <chrono>
#include <utility>

namespace gavel::chain {
namespace {

std::chrono::nanoseconds now() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

class MonitoredFile final: public File {
public:
  MonitoredFile(std::unique_ptr<File> inner, DiskMonitor& monitor)
      : inner(std::move(inner)), monitor(monitor) {}

  std::uint64_t size() const override { return inner->size(); }
  std::size_t read(std::uint64_t offset, kj::ArrayPtr<kj::byte> into) const override {
    return inner->read(offset, into);
  }
  void write(std::uint64_t offset, kj::ArrayPtr<const kj::byte> bytes) override {
    DiskMonitor::Call call(monitor, DiskMonitor::Kind::write);
    inner->write(offset, bytes);
  }
  void allocate(std::uint64_t size) override {
    DiskMonitor::Call call(monitor, DiskMonitor::Kind::write);
    inner->allocate(size);
  }
  void syncData() override {
    DiskMonitor::Call call(monitor, DiskMonitor::Kind::sync);
    inner->syncData();
  }
  void sync() override {
    DiskMonitor::Call call(monitor, DiskMonitor::Kind::sync);
    inner->sync();
  }

private:
  std::unique_ptr<File> inner;
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
  return std::make_unique<MonitoredFile>(inner.open(path, missing), monitor);
}

void MonitoredFiles::syncDirectory(const std::string& path) {
  DiskMonitor::Call call(monitor, DiskMonitor::Kind::sync);
  inner.syncDirectory(path);
}

}  // namespace gavel::chain
