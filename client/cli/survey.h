#pragma once

#include <functional>
#include <string>
#include <vector>

#include "client/cli/context.h"
#include "schema/topology.capnp.h"

namespace gavel::client::cli {

// What masters and nodes say of the chain at this moment.  Without a master, each member is asked
// itself, and the rest is filled in as well as can be.
struct Survey {
  // Somebody answered at all.
  bool answered = false;
  // Whether a master did, and which, or else why not.
  bool master = false;
  std::string masterAddress;
  std::string whyNoMaster;
  // Why addresses did not answer.
  std::string problems;

  // Null while no chain has formed.
  kj::Maybe<schema::Configuration::Reader> configuration;
  // Without a master: only the members, `connected` if they answered, else with the reason.
  Message<schema::Topology::NodesResults> nodes;
  // Without a master: only the configuration in force.
  Message<schema::Topology::EpochsResults> epochs;

  Survey();

  // The member that `status` speaks for; null if that process is none.
  kj::Maybe<schema::Member::Reader> memberOf(schema::NodeStatus::Reader status) const;

  // What is said of the head, if it was reached.
  kj::Maybe<schema::NodeEntry::Reader> head() const;

  // Keeps a copy of the newest that `locator` knows, which may learn another one at any time.
  void adoptConfiguration(const ChainLocator& locator);

private:
  kj::Maybe<Message<schema::Configuration>> ownConfiguration;
};

// Above this a node's clock, or chain time, is alarming (R15).
constexpr std::int64_t ALARMING_SKEW = 500'000'000;

// What is wrong with chain time, for people.
std::vector<std::string> remarksOnTime(const Survey& survey);

// A master's entry for the node of that name; of several processes, the one that lives.
kj::Maybe<schema::NodeEntry::Reader> entryNamed(const Survey& survey, const std::string& name);

// Asks all known addresses once.
kj::Promise<kj::Own<Survey>> survey(Context& context);
// The same with the addresses that `locator` knows.  Both must outlive the promise and its result.
kj::Promise<kj::Own<Survey>> survey(ChainLocator& locator, kj::Timer& timer);

// Asks again and again until `enough` is content, or `deadline` comes.  Gives the last survey.
kj::Promise<kj::Own<Survey>> surveyUntil(Context& context, kj::TimePoint deadline,
                                         std::function<bool(const Survey&)> enough);
// Until a master is in contact with `node`: a process that was just started may need a moment.
// Takes half of --timeout at most, as something is to be done with the node then.
kj::Promise<kj::Own<Survey>> surveyKnowing(Context& context, const std::string& node);

}  // namespace gavel::client::cli
