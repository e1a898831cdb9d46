#include "master/announcer.h"

#include <kj/debug.h>

#include "base/logging.h"
#include "master/document.h"

namespace gavel::master {

Announcer::Announcer(kj::Timer& timer, kj::Duration deadline,
                     kj::Function<void(std::uint64_t, std::uint64_t)> acknowledged)
    : timer(timer), deadline(deadline), acknowledged(kj::mv(acknowledged)), tasks(*this) {}

void Announcer::announce(const Configuration& configuration) {
  current = configuration;
  for (auto& [incarnation, target]: targets) push(*target);
}

void Announcer::add(std::uint64_t incarnation, schema::NodeControl::Client control,
                    std::uint64_t epoch) {
  auto target = kj::refcounted<Target>(incarnation, kj::mv(control));
  auto& reference = *target;
  targets.insert_or_assign(incarnation, kj::mv(target));
  acknowledge(reference, epoch);
  // The push is last in this turn, so that the answer to the registration goes first.
  tasks.add(kj::evalLast([this, target = kj::addRef(reference)]() mutable { push(*target); }));
}

void Announcer::remove(std::uint64_t incarnation) {
  targets.erase(incarnation);
}

kj::Maybe<schema::NodeControl::Client> Announcer::control(std::uint64_t incarnation) {
  auto found = targets.find(incarnation);
  if (found == targets.end()) return nullptr;
  return found->second->control;
}

void Announcer::heard(std::uint64_t incarnation, std::uint64_t epoch) {
  auto found = targets.find(incarnation);
  if (found == targets.end()) return;
  acknowledge(*found->second, epoch);
  push(*found->second);
}

void Announcer::push(Target& target) {
  auto epoch = current.epoch;
  if (target.acknowledged >= epoch || target.pushing >= epoch) return;
  target.pushing = epoch;
  auto call = kj::evalNow([&]() {
    auto request = target.control.configureRequest();
    current.write(request.initConfiguration());
    return request.send().ignoreResult();
  });
  tasks.add(timer.timeoutAfter(deadline, kj::mv(call))
                .then([this, &target, epoch]() { acknowledge(target, epoch); },
                      [&target, epoch](kj::Exception&& exception) {
                        if (target.pushing == epoch) target.pushing = 0;
                        logDebug("a node has not confirmed a configuration",
                                 {{"incarnation", target.incarnation},
                                  {"epoch", epoch},
                                  {"error", exception.getDescription()}});
                      })
                .attach(kj::addRef(target)));
}

void Announcer::acknowledge(Target& target, std::uint64_t epoch) {
  if (epoch <= target.acknowledged) return;
  target.acknowledged = epoch;
  acknowledged(target.incarnation, epoch);
}

void Announcer::taskFailed(kj::Exception&& exception) {
  kj::throwFatalException(kj::mv(exception));
}

}  // namespace gavel::master
