#include <utility>

#include <kj/debug.h>

#include "base/logging.h"
#include "base/planted.h"
#include "chain/replica.h"

// What a replica promises to a master that makes the store of a lost one anew (R3), and how it
// keeps that.
namespace gavel::chain {
namespace {

kj::String describe(const RebuildPromise& promise) {
  return kj::str("this node has promised the master of reign ", kj::hex(promise.reign),
                 ", which is being rebuilt, to adopt nothing below epoch ", promise.epoch);
}

}  // namespace

kj::Maybe<kj::String> Replica::whyNotAdopt(const Configuration& newer) const {
  if (newer.epoch <= configuration.epoch || !promised_.forbids(newer)) return nullptr;
  return kj::str(describe(promised_), ", and refuses epoch ", newer.epoch, " of ",
                 newer.reign == 0 ? kj::str("a master that was never rebuilt")
                                  : kj::str("the master of reign ", kj::hex(newer.reign)),
                 ": run gavel-master --rebuild again, to its end");
}

kj::Promise<Replica::Answer> Replica::promise(const Question& question) {
  auto& newest = question.newest;
  auto refuse = [](kj::String why) -> kj::Promise<Answer> {
    return Answer{Answer::Kind::refused, kj::mv(why)};
  };
  if (configuration.clusterId == 0 || newest.clusterId != configuration.clusterId) {
    return refuse(kj::str("it belongs to another cluster, or to none yet"));
  }
  if (configuration.epoch > newest.epoch) return Answer{Answer::Kind::newer};
  if (!question.promise.follows(promised_)) {
    return refuse(kj::str(describe(promised_), ", which is not below ", question.promise.epoch));
  }
  if (question.promise.epoch <= newest.epoch) {
    return refuse(kj::str("epoch ", question.promise.epoch, " is over"));
  }
  if (configuration.epoch < newest.epoch) {
    bool released = question.released == configuration.epoch;
    if (promised_.forbids(newest) && !released) {
      return refuse(
          kj::str(describe(promised_), ", so that it cannot adopt epoch ", newest.epoch, " first"));
    }
    tasks.add(enter(newest));
  } else if (newest != configuration) {
    return refuse(
        kj::str("it has another configuration of epoch ", newest.epoch, ", of another master"));
  }
  // The promise holds from here on, though it is not reported before it is durable.
  promised_ = question.promise;
  logWarning("a master is being rebuilt: promising to adopt nothing below its epoch",
             {{"epoch", configuration.epoch},
              {"promised", promised_.epoch},
              {"reign", kj::str(kj::hex(promised_.reign))}});
  // The configuration becomes durable with it, as it is written before.
  auto saved = store_.savePromise(promised_);
  return canceler.wrap(saved.then([this, epoch = newest.epoch]() {
    // A configuration that the promise allows may have come meanwhile.
    bool still = configuration.epoch == epoch;
    return Answer{still ? Answer::Kind::promised : Answer::Kind::newer};
  }));
}

}  // namespace gavel::chain
