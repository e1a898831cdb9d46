#pragma once

#include <functional>
#include <string>
#include <vector>

#include "client/cli/context.h"
#include "schema/topology.capnp.h"

namespace gavel::client::cli {

// What masters and nodes report of the chain now.  If no master answers, each member is asked
// itself, and the rest is filled in as far as possible.
struct Survey {
  // Whether anybody answered.
  bool answered = false;
  // Whether a master answered; which one, or else why none did.
  bool master = false;
  std::string masterAddress;
  std::string whyNoMaster;
  // Why addresses did not answer.
  std::string problems;

  // Null while no chain has formed.
  kj::Maybe<schema::Configuration::Reader> configuration;
  // Without a master, this has the members only: `connected` if they answered, else with the
  // reason.
  Message<schema::Topology::NodesResults> nodes;
  // Without a master, this has the configuration in force only.
  Message<schema::Topology::EpochsResults> epochs;

  Survey();

  // The member that `status` is about; null if that process is none.
  kj::Maybe<schema::Member::Reader> memberOf(schema::NodeStatus::Reader status) const;

  // The entry of the head, if it was reached.
  kj::Maybe<schema::NodeEntry::Reader> head() const;

  // Copies the newest configuration of `locator`, which may learn another one at any time.
  void adoptConfiguration(const ChainLocator& locator);

private:
  kj::Maybe<Message<schema::Configuration>> ownConfiguration;
};

// A node whose clock, or chain time, is off by more is alarming (R15).  In ns.
constexpr std::int64_t ALARMING_SKEW = 500'000'000;

// Problems of chain time, for people.
std::vector<std::string> remarksOnTime(const Survey& survey);

// A master's entry for the node of that name.  Of several processes, the one that is connected.
kj::Maybe<schema::NodeEntry::Reader> entryNamed(const Survey& survey, const std::string& name);

// Asks all known addresses once.
kj::Promise<kj::Own<Survey>> survey(Context& context);
// The same with the addresses that `locator` knows.  Both must outlive the promise and its result.
kj::Promise<kj::Own<Survey>> survey(ChainLocator& locator, kj::Timer& timer);

// Asks repeatedly until `enough` returns true, or until `deadline`.  Resolves to the last survey.
kj::Promise<kj::Own<Survey>> surveyUntil(Context& context, kj::TimePoint deadline,
                                         std::function<bool(const Survey&)> enough);
// Asks until a master is in contact with `node`, since a new process may need a moment.  Takes half
// of --timeout at most, since the command still has something to do with the node.
kj::Promise<kj::Own<Survey>> surveyKnowing(Context& context, const std::string& node);

}  // namespace gavel::client::cli
