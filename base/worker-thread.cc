#include "base/worker-thread.h"

namespace gavel {

WorkerThread::WorkerThread(): thread([this]() { loop(); }) {}

WorkerThread::~WorkerThread() noexcept(false) {
  std::lock_guard<std::mutex> lock(mutex);
  stopping = true;
  changed.notify_one();
}

kj::Promise<void> WorkerThread::run(kj::Function<void()> job) {
  auto paf = kj::newPromiseAndCrossThreadFulfiller<void>();
  post([job = kj::mv(job), fulfiller = kj::mv(paf.fulfiller)]() mutable {
    fulfiller->rejectIfThrows([&]() {
      job();
      fulfiller->fulfill();
    });
  });
  return kj::mv(paf.promise);
}

void WorkerThread::post(kj::Function<void()> job) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    jobs.push_back(kj::mv(job));
  }
  // The mutex is free again, or the thread would wake up only to wait for it.
  changed.notify_one();
}

void WorkerThread::loop() {
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [this]() { return stopping || !jobs.empty(); });
    if (jobs.empty()) return;
    auto job = kj::mv(jobs.front());
    jobs.pop_front();
    lock.unlock();
    job();
  }
}

}  // namespace gavel
