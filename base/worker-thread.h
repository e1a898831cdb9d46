#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>

#include <kj/async.h>
#include <kj/function.h>
#include <kj/thread.h>

namespace gavel {

// One extra thread for work that blocks, so that the event loop never does.  Jobs run one at a
// time, in order.  It is used for storage and nothing else.
//
// Dropping the promise of a job does not stop the job: a job owns what it uses.
class WorkerThread {
public:
  WorkerThread();
  // First runs all queued jobs to their end.
  ~WorkerThread() noexcept(false);
  KJ_DISALLOW_COPY(WorkerThread);

  // Runs `job` on the thread.  The promise is for the calling thread's event loop.
  kj::Promise<void> run(kj::Function<void()> job);

  template <typename T>
  kj::Promise<T> compute(kj::Function<T()> job) {
    auto paf = kj::newPromiseAndCrossThreadFulfiller<T>();
    post([job = kj::mv(job), fulfiller = kj::mv(paf.fulfiller)]() mutable {
      fulfiller->rejectIfThrows([&]() { fulfiller->fulfill(job()); });
    });
    return kj::mv(paf.promise);
  }

  // Runs `job` on the thread; it must not throw.
  void post(kj::Function<void()> job);

private:
  // std::mutex, because ThreadSanitizer takes libkj's locks for races.
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<kj::Function<void()>> jobs;
  bool stopping = false;
  kj::Thread thread;  // Last: it uses the rest.

  void loop();
};

}  // namespace gavel
