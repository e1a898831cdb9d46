#include "store/disk-watch.h"

namespace gavel {

kj::Promise<void> DiskWatch::run(kj::Function<void()> checked) {
  auto due = timer.now() + CHECK;
  return timer.afterDelay(CHECK).then([this, due, checked = kj::mv(checked)]() mutable {
    look(timer.now() - due < CHECK);
    checked();
    return run(kj::mv(checked));
  });
}

void DiskWatch::look(bool onTime) {
  auto activity = store.activity();
  watch.check(activity.ended, activity.busy, onTime);
  idleChecks = activity.busy || activity.ended != lastEnded ? 0 : idleChecks + 1;
  lastEnded = activity.ended;
  if (idleChecks * CHECK >= PROBE) {
    idleChecks = 0;
    store.probe();
  }
}

}  // namespace gavel
