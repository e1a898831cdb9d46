#include "master/rebuilder.h"

#include <utility>

#include <kj/debug.h>

#include "base/connection.h"
#include "base/logging.h"
#include "schema/peer.capnp.h"

namespace gavel::master {
namespace {

constexpr auto TRY_AGAIN = 500 * kj::MILLISECONDS;
constexpr auto LOOK_TIMEOUT = 1 * kj::SECONDS;
// Within this time a node syncs the promise, and perhaps a configuration before it.
constexpr auto PROMISE_TIMEOUT = 5 * kj::SECONDS;
// How many addresses are asked: those of one cluster, and some that have changed.
constexpr std::size_t MOST_ADDRESSES = 200;

std::string textOf(const kj::Exception& exception) {
  return exception.getDescription().cStr();
}

}  // namespace

Rebuilder::Rebuilder(kj::Network& network, kj::Timer& timer, const SystemClock& clock,
                     Random& random, ConfigStore& store, Options options)
    : network(network),
      timer(timer),
      clock(clock),
      random(random),
      store(store),
      options(kj::mv(options)),
      reign(random.id()) {}

kj::Promise<Document> Rebuilder::run() {
  return store.get().then([this](Stored&& stored) -> kj::Promise<Document> {
    if (stored.version != 0) {
      auto document = Document::decode(stored.document);
      if (document.current().reign == reign) return kj::mv(document);
      auto words = kj::str(
          "the data directory holds a configuration already, of epoch ", document.current().epoch,
          ": nothing is rebuilt into it.  Start gavel-master without --rebuild, or "
          "give --data an empty directory");
      return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(words));
    }
    return attempt().then([this](bool done) -> kj::Promise<Document> {
      if (done) return run();
      return timer.afterDelay(TRY_AGAIN).then([this]() { return run(); });
    });
  });
}

kj::Promise<bool> Rebuilder::attempt() {
  asked.clear();
  heard.clear();
  unheard.clear();
  return survey().then([this]() -> kj::Promise<bool> {
    plan = planRebuild(heard, unheard, options.without);
    say(plan.awaited);
    if (!plan.awaited.empty()) return false;
    return askForPromises();
  });
}

// Each process that answers names others, which are asked as well.
kj::Promise<void> Rebuilder::survey() {
  kj::Vector<kj::Promise<void>> looks;
  auto begin = [&](const std::string& address) {
    if (asked.size() < MOST_ADDRESSES && asked.insert(address).second) looks.add(look(address));
  };
  for (auto& address: options.nodes) begin(address);
  for (auto& each: heard) {
    for (auto& member: each.newest.members) begin(member.address);
  }
  if (looks.size() == 0) return kj::READY_NOW;
  return kj::joinPromises(looks.releaseAsArray()).then([this]() { return survey(); });
}

kj::Promise<void> Rebuilder::look(std::string address) {
  auto asking = Connection::open(network, timer, address.c_str(), LOOK_TIMEOUT)
                    .then([this, address](kj::Own<Connection> connection) {
                      auto node = connection->bootstrap<schema::Topology>();
                      auto status = node.statusRequest().send();
                      // The status is asked for later, so that it is not older.
                      return status
                          .then([this, node, address](auto&& response) mutable {
                            auto told = response.getStatus();
                            Heard found;
                            found.candidate = readCandidate(told);
                            found.durableEpoch = told.getEpoch();
                            found.address = address;
                            return node.configurationRequest().send().then(
                                [this, found = std::move(found)](auto&& response) mutable {
                                  found.newest = Configuration::read(response.getConfiguration());
                                  // One process may answer at two addresses.
                                  for (auto& each: heard) {
                                    auto& member = each.candidate.member;
                                    if (member.incarnation == found.candidate.member.incarnation)
                                      return;
                                  }
                                  heard.push_back(std::move(found));
                                });
                          })
                          .attach(kj::mv(connection));
                    });
  return timer.timeoutAfter(2 * LOOK_TIMEOUT, kj::mv(asking))
      .catch_([this, address](kj::Exception&& exception) { unheard[address] = textOf(exception); });
}

kj::Promise<bool> Rebuilder::askForPromises() {
  promised.clear();
  logInfo("asking all members for a promise", {{"epoch", plan.base.epoch},
                                               {"members", plan.base.describe()},
                                               {"promise", plan.epoch},
                                               {"reign", kj::str(kj::hex(reign))}});
  auto problem = kj::heap<std::string>();
  kj::Vector<kj::Promise<void>> all;
  for (auto& question: plan.questions) all.add(ask(question, *problem));
  auto& why = *problem;
  return kj::joinPromises(all.releaseAsArray())
      .then([this, &why]() -> kj::Promise<bool> {
        say(why);
        if (!why.empty()) return false;
        return put();
      })
      .attach(kj::mv(problem));
}

kj::Promise<void> Rebuilder::ask(const RebuildPlan::Question& question, std::string& problem) {
  auto asking =
      Connection::open(network, timer, question.address.c_str(), LOOK_TIMEOUT)
          .then([this, &question, &problem](kj::Own<Connection> connection) {
            auto request = connection->bootstrap<schema::Peer>().promiseRequest();
            request.setClusterId(plan.base.clusterId);
            request.setStoreId(question.storeId);
            plan.base.write(request.initConfiguration());
            request.setEpoch(plan.epoch);
            request.setReign(reign);
            request.setReleased(question.released);
            auto answer = request.send().then([this, &question, &problem](auto&& response) {
              auto result = response.getResult();
              if (result.isPromised()) {
                notePromise(question, result.getPromised());
              } else if (result.isNewer()) {
                problem = question.name + " has a newer configuration by now";
              } else {
                problem = question.name + " does not promise: " + result.getRefused().cStr();
              }
            });
            return answer.attach(kj::mv(connection));
          });
  return timer.timeoutAfter(PROMISE_TIMEOUT, kj::mv(asking))
      .catch_([&question, &problem](kj::Exception&& exception) {
        problem =
            question.name + " (" + question.address + ") does not promise: " + textOf(exception);
      });
}

void Rebuilder::notePromise(const RebuildPlan::Question& question,
                            schema::NodeStatus::Reader status) {
  promised.push_back(readCandidate(status));
  if (!promised.back().unsynced) return;
  logWarning(
      "a node runs with --sync=never: it forgets its promise if its machine loses power.  Make "
      "sure that the lost master is never started again",
      {{"node", question.name}});
}

kj::Promise<bool> Rebuilder::put() {
  auto rebuilt = rebuiltDocument(plan, promised, reign);
  say(rebuilt.refused);
  if (!rebuilt.refused.empty()) return false;
  rebuilt.document.relinks.back().configuration.stamp = clock.wall();
  // Whether the swap has succeeded or not, what counts is what can be read now.
  return store.compareAndSwap(0, rebuilt.document.encode()).then([this](auto&&) {
    for (auto& member: plan.givenUp) {
      logWarning("a member was given up: what only it had is lost", {{"node", member.name}});
    }
    return true;
  });
}

void Rebuilder::say(std::string why) {
  if (why != awaited_ && !why.empty()) logWarning("cannot rebuild yet", {{"reason", why}});
  awaited_ = kj::mv(why);
}

}  // namespace gavel::master
