#include "client/cli/survey.h"

#include <map>

#include <kj/debug.h>

namespace gavel::client::cli {
namespace {

using schema::Topology;

// A process that needs longer counts as gone.
constexpr auto PATIENCE = 500 * kj::MILLISECONDS;
constexpr auto LOOK_AGAIN = 100 * kj::MILLISECONDS;

class Surveyor {
public:
  Surveyor(ChainLocator& locator, kj::Timer& timer)
      : locator(locator), timer(timer), result(kj::heap<Survey>()) {}

  kj::Promise<kj::Own<Survey>> run() {
    return locator.refresh()
        .then([this]() { return askMasters(); })
        .then([this]() -> kj::Promise<void> {
          result->adoptConfiguration(locator);
          if (result->master || result->configuration == nullptr) return kj::READY_NOW;
          return askMembers();
        })
        .then([this]() {
          result->problems = locator.problems().cStr();
          result->answered = result->master || result->configuration != nullptr || anyNode;
          if (!result->master && result->whyNoMaster.empty()) {
            result->whyNoMaster = "none of the addresses given is one";
          }
          return kj::mv(result);
        });
  }

private:
  ChainLocator& locator;
  kj::Timer& timer;
  kj::Own<Survey> result;
  bool anyNode = false;
  std::map<std::string, Message<schema::NodeStatus>> statuses;  // By address.
  std::map<std::string, std::string> silent;

  // Calls `ask` on the process at `address`, then `told` with its answer or `failed` with the
  // reason.
  template <typename Ask, typename Told, typename Failed>
  kj::Promise<void> query(kj::StringPtr address, Ask ask, Told told, Failed failed) {
    return locator.peer(address)
        .then([this, ask](kj::Own<Peer> peer) {
          auto& asked = *peer;
          return timer.timeoutAfter(PATIENCE, kj::evalNow([&]() { return ask(asked.topology()); }))
              .attach(kj::mv(peer));
        })
        .then(kj::mv(told), kj::mv(failed));
  }

  kj::Promise<void> askMasters() {
    kj::Vector<kj::Promise<void>> all;
    for (auto& address: locator.addresses()) {
      all.add(query(
          address,
          [](Topology::Client& topology) {
            auto nodes = topology.nodesRequest().send().then(
                [](auto&& response) { return Message<Topology::NodesResults>(response); });
            auto epochs = topology.epochsRequest().send().then(
                [](auto&& response) { return Message<Topology::EpochsResults>(response); });
            return nodes.then([epochs = kj::mv(epochs)](auto nodes) mutable {
              return epochs.then([nodes = kj::mv(nodes)](auto epochs) mutable {
                return kj::tuple(kj::mv(nodes), kj::mv(epochs));
              });
            });
          },
          [this, address = kj::str(address)](
              kj::Tuple<Message<Topology::NodesResults>, Message<Topology::EpochsResults>> answer) {
            heardMaster(address, kj::mv(kj::get<0>(answer)), kj::mv(kj::get<1>(answer)));
          },
          [this, address = kj::str(address)](kj::Exception&& exception) {
            if (exception.getType() == kj::Exception::Type::UNIMPLEMENTED) {
              anyNode = true;
              return;
            }
            auto& why = result->whyNoMaster;
            if (!why.empty()) why += "; ";
            why += kj::str(address, ": ", reasonOf(exception)).cStr();
          }));
    }
    return kj::joinPromises(all.releaseAsArray());
  }

  // Keeps the answer of the master that knows most nodes.
  void heardMaster(kj::StringPtr address, Message<Topology::NodesResults> nodes,
                   Message<Topology::EpochsResults> epochs) {
    if (result->master && nodes.get().getNodes().size() <= result->nodes.get().getNodes().size()) {
      return;
    }
    result->master = true;
    result->masterAddress = address.cStr();
    result->nodes = kj::mv(nodes);
    result->epochs = kj::mv(epochs);
  }

  kj::Promise<void> askMembers() {
    kj::Vector<kj::Promise<void>> all;
    for (auto member: KJ_ASSERT_NONNULL(result->configuration).getMembers()) {
      std::string address = member.getAddress().cStr();
      all.add(query(
          member.getAddress(),
          [](Topology::Client& topology) {
            return topology.statusRequest().send().then(
                [](auto&& response) { return Message<schema::NodeStatus>(response.getStatus()); });
          },
          [this, address](Message<schema::NodeStatus> status) {
            statuses.emplace(address, kj::mv(status));
          },
          [this, address](kj::Exception&& exception) {
            silent.emplace(address, reasonOf(exception).cStr());
          }));
    }
    return kj::joinPromises(all.releaseAsArray()).then([this]() { fillIn(); });
  }

  // Makes from the members' answers what a master would have reported.
  void fillIn() {
    result->adoptConfiguration(locator);
    auto configuration = KJ_ASSERT_NONNULL(result->configuration);
    auto members = configuration.getMembers();
    result->nodes = Message<Topology::NodesResults>::make([&](auto results) {
      auto nodes = results.initNodes(members.size());
      for (auto i: kj::indices(members)) {
        nodes[i].setStanding(schema::NodeEntry::Standing::MEMBER);
        std::string address = members[i].getAddress().cStr();
        if (auto found = statuses.find(address); found != statuses.end()) {
          nodes[i].setStatus(found->second.get());
          nodes[i].setConnected(true);
          continue;
        }
        auto status = nodes[i].initStatus();
        status.setName(members[i].getName());
        status.setAddress(members[i].getAddress());
        status.setIncarnation(members[i].getIncarnation());
        status.setReason(silent[address].c_str());
      }
    });
    result->epochs = Message<Topology::EpochsResults>::make(
        [&](auto results) { results.initRelinks(1)[0].setConfiguration(configuration); });
  }
};

}  // namespace

Survey::Survey()
    : nodes(Message<Topology::NodesResults>::make([](auto) {})),
      epochs(Message<Topology::EpochsResults>::make([](auto) {})) {}

void Survey::adoptConfiguration(const ChainLocator& locator) {
  KJ_IF_MAYBE (known, locator.configuration()) {
    configuration = ownConfiguration.emplace(*known).get();
  }
}

kj::Maybe<schema::Member::Reader> Survey::memberOf(schema::NodeStatus::Reader status) const {
  KJ_IF_MAYBE (known, configuration) {
    for (auto member: known->getMembers()) {
      if (member.getIncarnation() == status.getIncarnation()) return member;
    }
  }
  return nullptr;
}

kj::Maybe<schema::NodeEntry::Reader> Survey::head() const {
  KJ_IF_MAYBE (known, configuration) {
    if (known->getMembers().size() == 0) return nullptr;
    auto incarnation = known->getMembers()[0].getIncarnation();
    for (auto node: nodes.get().getNodes()) {
      if (node.getConnected() && node.getStatus().getIncarnation() == incarnation) return node;
    }
  }
  return nullptr;
}

kj::Promise<kj::Own<Survey>> survey(Context& context) {
  return survey(context.client().locator(), context.timer());
}

kj::Promise<kj::Own<Survey>> survey(ChainLocator& locator, kj::Timer& timer) {
  auto surveyor = kj::heap<Surveyor>(locator, timer);
  auto promise = surveyor->run();
  return promise.attach(kj::mv(surveyor));
}

kj::Maybe<schema::NodeEntry::Reader> entryNamed(const Survey& survey, const std::string& name) {
  kj::Maybe<schema::NodeEntry::Reader> found;
  for (auto entry: survey.nodes.get().getNodes()) {
    if (name != entry.getStatus().getName().cStr()) continue;
    if (found == nullptr || entry.getConnected()) found = entry;
  }
  return found;
}

kj::Promise<kj::Own<Survey>> surveyUntil(Context& context, kj::TimePoint deadline,
                                         std::function<bool(const Survey&)> enough) {
  return survey(context).then([&context, deadline, enough = std::move(enough)](
                                  kj::Own<Survey> survey) mutable -> kj::Promise<kj::Own<Survey>> {
    if (enough(*survey) || context.timer().now() + LOOK_AGAIN >= deadline) return kj::mv(survey);
    return context.timer()
        .afterDelay(LOOK_AGAIN)
        .then([&context, deadline, enough = std::move(enough)]() mutable {
          return surveyUntil(context, deadline, std::move(enough));
        });
  });
}

kj::Promise<kj::Own<Survey>> surveyKnowing(Context& context, const std::string& node) {
  auto known = [&context, node, told = false](const Survey& survey) mutable {
    KJ_IF_MAYBE (entry, entryNamed(survey, node)) {
      if (entry->getConnected()) return true;
    }
    if (!survey.master) return true;  // The caller reports that there is no master.
    if (!told) {
      context.print.note("waiting until the master hears of " + printable(node.c_str()));
    }
    told = true;
    return false;
  };
  return surveyUntil(context, context.timer().now() + context.settings.timeout / 2, known);
}

}  // namespace gavel::client::cli
