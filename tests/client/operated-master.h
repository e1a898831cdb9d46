#pragma once

#include <string>
#include <vector>

#include <kj/async.h>
#include <kj/string.h>

#include "schema/master.capnp.h"
#include "schema/peer.capnp.h"
#include "tests/client/serving.h"

// A master that answers and acts as a test has planned.
namespace gavel::client::testing {

struct PlannedMember {
  std::string name;
  schema::Member::State state = schema::Member::State::SERVING;
};

using Standing = schema::NodeEntry::Standing;

struct KnownNode {
  std::string name;
  bool connected = true;
  bool restarted = false;  // Its incarnation is not the member's.
  std::uint64_t last = 0;
  bool heard = true;
  std::string note = "";
  std::string damage = "";
  std::int64_t clock = 0;
  std::int64_t chainTime = 0;
  std::int64_t leap = 0;
  Standing standing = Standing::MEMBER;
  std::string reason = "";
  schema::NodeStatus::Role role = schema::NodeStatus::Role::MIDDLE;
};

struct MasterScript {
  std::vector<PlannedMember> before;
  std::vector<PlannedMember> after;  // Some looks after a change was asked for.
  std::vector<KnownNode> nodes;
  std::string notice;
  std::string refusal;                  // The refusal of any change; empty: it is done.
  std::string members = "127.0.0.1:1";  // The address of all members.
  std::string unconfirmed;              // Why they answer no query; empty: they answer.
  std::string linkTrouble;              // Their report on a link; empty: it works.
  bool deaf = false;                    // They do not answer that question.
  bool silent = false;                  // Changes are not answered.
  bool breaks = false;                  // The connection breaks when a change is asked for.
  unsigned looksBeforeAfter = 3;
  unsigned silentLook = 0;           // The look that is not answered, counted from 1.
  unsigned lastLook = 0;             // The look after which the master is gone.
  unsigned questionsBeforeLast = 0;  // Questions for nodes before the last node is there.

  std::vector<std::string> asked;
  unsigned looks = 0;  // Looks since the change was asked for.
};

// The members of the chain, for a caller that asks whether the chain confirms.
class AskedMember final: public schema::NodeService::Server {
public:
  explicit AskedMember(MasterScript& script): script(script) {}

  kj::Promise<void> configuration(ConfigurationContext) override { return kj::READY_NOW; }
  kj::Promise<void> list(ListContext context) override {
    if (script.deaf) return kj::NEVER_DONE;
    if (script.unconfirmed.empty()) return kj::READY_NOW;
    auto failure = context.getResults().initFailure();
    failure.setReason(schema::QueryFailure::Reason::UNAVAILABLE);
    failure.setDetail(script.unconfirmed.c_str());
    return kj::READY_NOW;
  }
  kj::Promise<void> tryLinks(TryLinksContext) override {
    if (script.linkTrouble.empty()) return kj::READY_NOW;
    return KJ_EXCEPTION(OVERLOADED, script.linkTrouble.c_str());
  }

private:
  MasterScript& script;
};

class OperatedMaster final: public schema::MasterService::Server {
public:
  OperatedMaster(MasterScript& script, Serving& serving): script(script), serving(serving) {}

  kj::Promise<void> configuration(ConfigurationContext context) override {
    tell(context.getResults().initConfiguration());
    if (script.asked.empty()) return kj::READY_NOW;
    ++script.looks;
    if (script.looks == script.lastLook) serving.loseLater();
    if (script.looks == script.silentLook) return kj::NEVER_DONE;
    return kj::READY_NOW;
  }

  kj::Promise<void> nodes(NodesContext context) override {
    auto results = context.getResults();
    results.setNotice(script.notice.c_str());
    auto known = static_cast<unsigned>(script.nodes.size());
    if (script.questionsBeforeLast > 0) {
      --script.questionsBeforeLast;
      --known;
    }
    auto nodes = results.initNodes(known);
    for (unsigned i = 0; i < nodes.size(); ++i) {
      auto& node = script.nodes[i];
      nodes[i].setConnected(node.connected);
      nodes[i].setLastHeard(node.heard ? 0 : -1);
      nodes[i].setNote(node.note.c_str());
      auto status = nodes[i].initStatus();
      status.setName(node.name.c_str());
      status.setStoreId(idOf(node.name));
      status.setIncarnation(idOf(node.name) + (node.restarted ? 1000 : 0));
      status.setLast(node.last);
      status.setDamage(node.damage.c_str());
      status.setWallClock(node.clock);
      status.setChainTime(node.chainTime);
      status.setLeap(node.leap);
      status.setReason(node.reason.c_str());
      status.setRole(node.role);
      nodes[i].setStanding(node.standing);
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> epochs(EpochsContext context) override {
    if (script.before.empty()) return kj::READY_NOW;
    tell(context.getResults().initRelinks(1)[0].initConfiguration());
    return kj::READY_NOW;
  }

  kj::Promise<void> add(AddContext context) override {
    return decide(kj::str("add ", context.getParams().getNode()),
                  context.getResults().initResult());
  }
  kj::Promise<void> drain(DrainContext context) override {
    return decide(kj::str("drain ", context.getParams().getNode()),
                  context.getResults().initResult());
  }
  kj::Promise<void> replace(ReplaceContext context) override {
    auto params = context.getParams();
    return decide(kj::str("replace ", params.getOld(), " ", params.getNew()),
                  context.getResults().initResult());
  }
  kj::Promise<void> forget(ForgetContext context) override {
    return decide(kj::str("forget ", context.getParams().getNode()),
                  context.getResults().initResult());
  }
  kj::Promise<void> recover(RecoverContext context) override {
    auto params = context.getParams();
    return decide(kj::str("recover ", params.getNode(), " ", params.getEpoch()),
                  context.getResults().initResult());
  }
  kj::Promise<void> acceptClock(AcceptClockContext context) override {
    return decide(kj::str("accept ", context.getParams().getLimit()),
                  context.getResults().initResult());
  }

private:
  MasterScript& script;
  Serving& serving;

  // A different number for each name.
  static std::uint64_t idOf(const std::string& name) {
    return static_cast<unsigned char>(name.back());
  }

  void tell(schema::Configuration::Builder configuration) {
    if (script.before.empty()) return;
    bool done = !script.asked.empty() && script.looks >= script.looksBeforeAfter;
    auto& plan = done ? script.after : script.before;
    configuration.setClusterId(77);
    configuration.setEpoch(done ? 8 : 7);
    configuration.setCause(done ? "as asked" : "formed");
    auto members = configuration.initMembers(static_cast<unsigned>(plan.size()));
    for (unsigned i = 0; i < members.size(); ++i) {
      members[i].setName(plan[i].name.c_str());
      members[i].setAddress(script.members.c_str());
      members[i].setState(plan[i].state);
      members[i].setStoreId(idOf(plan[i].name));
      members[i].setIncarnation(idOf(plan[i].name));
    }
  }

  kj::Promise<void> decide(kj::String what, schema::Operator::Result::Builder result) {
    script.asked.push_back(what.cStr());
    if (script.breaks) serving.loseLater();
    if (script.silent || script.breaks) return kj::NEVER_DONE;
    if (script.refusal.empty()) {
      result.setDone(kj::str("decided: ", what));
    } else {
      result.setRefused(script.refusal.c_str());
    }
    return kj::READY_NOW;
  }
};

}  // namespace gavel::client::testing
