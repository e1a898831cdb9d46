#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <kj/async-io.h>
#include <kj/timer.h>

#include "base/clock.h"
#include "base/random.h"
#include "master/config-store.h"
#include "master/rebuild.h"

namespace gavel::master {

// Makes the store of a master that is lost for good anew, from what the nodes report and promise
// (rebuild.h).  It asks the processes that it finds, again and again, until it has all that it
// needs.  The chain serves on meanwhile.
class Rebuilder {
public:
  struct Options {
    std::vector<std::string> nodes;    // Addresses of any of the cluster's nodes, to begin with.
    std::vector<std::string> without;  // Names of members that the operator gives up.
  };

  // References must outlive this object.
  Rebuilder(kj::Network& network, kj::Timer& timer, const SystemClock& clock, Random& random,
            ConfigStore& store, Options options);
  KJ_DISALLOW_COPY(Rebuilder);

  // Resolves with the document once it is stored.  Fails at once, with a text for the operator, if
  // the store already holds one.
  kj::Promise<Document> run();

  // Returns what is awaited, for people; empty: nothing.
  const std::string& awaited() const { return awaited_; }

private:
  kj::Network& network;
  kj::Timer& timer;
  const SystemClock& clock;
  Random& random;
  ConfigStore& store;
  Options options;
  std::uint64_t reign;
  std::string awaited_;

  // The state of one attempt.
  std::set<std::string> asked;
  std::vector<Heard> heard;
  std::map<std::string, std::string> unheard;
  RebuildPlan plan;
  std::vector<Candidate> promised;

  // Each resolves with whether the document is stored; if it is not, awaited() says why.
  kj::Promise<bool> attempt();
  kj::Promise<bool> askForPromises();
  kj::Promise<bool> put();

  kj::Promise<void> survey();
  kj::Promise<void> look(std::string address);
  kj::Promise<void> ask(const RebuildPlan::Question& question, std::string& problem);
  void notePromise(const RebuildPlan::Question& question, schema::NodeStatus::Reader status);
  void say(std::string why);
};

}  // namespace gavel::master
