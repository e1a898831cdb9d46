#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/timer.h>

#include "base/random.h"
#include "client/client.h"
#include "schema/master.capnp.h"
#include "schema/peer.capnp.h"

// Surroundings for the client library: scripted nodes on an in-memory network, on virtual time.
namespace gavel::client::testing {

// Numbers that look random and are always the same.
class FixedRandom final: public Random {
public:
  std::uint64_t next() override {
    return state = state * 6364136223846793005u + 1442695040888963407u;
  }

private:
  std::uint64_t state = 42;
};

// What a scripted node does with a request.
enum class Reply {
  success,
  tooLow,
  unavailable,
  outcomeUnknown,
  sessionExpired,
  noSuchAuction,
  loseReply,  // It is done here, but the caller sees the connection break.
  silent,     // Never answers.
};

struct SeenRequest {
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;
  std::uint64_t lowestIncomplete = 0;
  std::int64_t amount = 0;
};

struct MemberPlan {
  std::string name;
  std::string address;
  bool syncing = false;
};

// The orders for a node, and the calls that it got.  Outlives the node's server.
struct Script {
  std::uint64_t epoch = 1;
  std::uint64_t clusterId = 77;
  std::vector<MemberPlan> members;
  bool topologySilent = false;

  std::int64_t highest = 0;   // The highest bid of every auction, if not 0.
  std::deque<Reply> replies;  // For writes, one each, then `afterwards`.
  Reply afterwards = Reply::success;
  std::deque<bool> queryAvailable;  // For queries, one each, then true.

  unsigned sessionsOpened = 0;
  std::vector<SeenRequest> seen;
  std::function<void()> onRequest = []() {};  // Called after each addition to `seen`.
  unsigned queries = 0;
};

// Reports the chain and serves nothing else.
class ScriptedMaster final: public schema::MasterService::Server {
public:
  explicit ScriptedMaster(Script& script): script(script) {}

  kj::Promise<void> configuration(ConfigurationContext context) override {
    tell(script, context.getResults().initConfiguration());
    return kj::READY_NOW;
  }

  static void tell(const Script& script, schema::Configuration::Builder configuration) {
    configuration.setClusterId(script.clusterId);
    configuration.setEpoch(script.epoch);
    auto members = configuration.initMembers(static_cast<unsigned>(script.members.size()));
    for (unsigned i = 0; i < members.size(); ++i) {
      members[i].setName(script.members[i].name.c_str());
      members[i].setAddress(script.members[i].address.c_str());
      members[i].setIncarnation(i + 1);
      if (script.members[i].syncing) members[i].setState(schema::Member::State::SYNCING);
    }
  }

private:
  Script& script;
};

class ScriptedNode final: public schema::NodeService::Server {
public:
  explicit ScriptedNode(Script& script): script(script) {}

  kj::Promise<void> configuration(ConfigurationContext context) override {
    if (script.topologySilent) return kj::NEVER_DONE;
    ScriptedMaster::tell(script, context.getResults().initConfiguration());
    return kj::READY_NOW;
  }

  kj::Promise<void> tryLinks(TryLinksContext) override { return kj::READY_NOW; }

  kj::Promise<void> openSession(OpenSessionContext context) override {
    auto index = 100 * ++script.sessionsOpened;
    context.getResults().initOutcome().initSuccess().setIndex(index);
    return kj::READY_NOW;
  }

  kj::Promise<void> bid(BidContext context) override {
    auto params = context.getParams();
    return answer(params.getRequest(), params.getBid(), context.getResults().initOutcome());
  }

  kj::Promise<void> bids(BidsContext context) override {
    auto requests = context.getParams().getRequests();
    auto outcomes = context.getResults().initOutcomes(requests.size());
    auto all = kj::heapArrayBuilder<kj::Promise<void>>(requests.size());
    for (unsigned i = 0; i < requests.size(); ++i) {
      all.add(answer(requests[i].getRequest(), requests[i].getBid(), outcomes[i]));
    }
    return kj::joinPromises(all.finish());
  }

  kj::Promise<void> result(ResultContext context) override {
    auto answer = context.getResults().initAnswer();
    if (!mayAnswer(answer)) return kj::READY_NOW;
    auto auction = answer.initAuction();
    auction.setName(context.getParams().getAuction());
    if (script.highest > 0) auction.initState().initOpen().setHighest(script.highest);
    return kj::READY_NOW;
  }
  kj::Promise<void> show(ShowContext context) override {
    auto answer = context.getResults().initAnswer();
    if (mayAnswer(answer)) answer.initAuction().setName(context.getParams().getAuction());
    return kj::READY_NOW;
  }
  kj::Promise<void> list(ListContext context) override {
    auto page = context.getResults();
    if (mayAnswer(page)) page.initAuctions(1)[0].setName("lamp");
    return kj::READY_NOW;
  }
  kj::Promise<void> history(HistoryContext context) override {
    auto page = context.getResults();
    if (mayAnswer(page)) page.initVersions(1)[0].setVersion(1);
    return kj::READY_NOW;
  }

private:
  Script& script;

  // Counts a query, and fills in the failure if the script wants one.
  template <typename Results>
  bool mayAnswer(Results results) {
    ++script.queries;
    if (script.queryAvailable.empty()) return true;
    bool available = script.queryAvailable.front();
    script.queryAvailable.pop_front();
    if (!available) {
      auto failure = results.initFailure();
      failure.setReason(schema::QueryFailure::Reason::UNAVAILABLE);
      failure.setDetail("not now");
    }
    return available;
  }

  kj::Promise<void> answer(schema::RequestId::Reader id, schema::Bid::Reader bid,
                           schema::Outcome::Builder outcome) {
    script.seen.push_back(
        {id.getSession(), id.getSequence(), id.getLowestIncomplete(), bid.getAmount()});
    script.onRequest();
    auto reply = script.afterwards;
    if (!script.replies.empty()) {
      reply = script.replies.front();
      script.replies.pop_front();
    }
    using Reason = schema::Outcome::Exception::Reason;
    switch (reply) {
      case Reply::success:
        outcome.initSuccess().setVersion(script.seen.size());
        break;
      case Reply::tooLow:
        outcome.initFail().setHighest(120);
        break;
      case Reply::unavailable:
        outcome.initException().setReason(Reason::UNAVAILABLE);
        break;
      case Reply::outcomeUnknown:
        outcome.initException().setReason(Reason::OUTCOME_UNKNOWN);
        break;
      case Reply::sessionExpired:
        outcome.initException().setReason(Reason::SESSION_EXPIRED);
        break;
      case Reply::noSuchAuction:
        outcome.initException().setReason(Reason::NO_SUCH_AUCTION);
        break;
      case Reply::loseReply:
        return KJ_EXCEPTION(DISCONNECTED, "the reply was lost");
      case Reply::silent:
        return kj::NEVER_DONE;
    }
    return kj::READY_NOW;
  }
};

// Addresses, and what connections to them meet.
class FakeNetwork final: public kj::Network {
public:
  using Accept = std::function<void(kj::Own<kj::AsyncIoStream>)>;

  // At other addresses, connections are refused.
  std::map<std::string, Accept> listeners;

  kj::Promise<kj::Own<kj::NetworkAddress>> parseAddress(kj::StringPtr text, unsigned) override {
    return kj::Own<kj::NetworkAddress>(kj::heap<Address>(*this, text));
  }
  kj::Own<kj::NetworkAddress> getSockaddr(const void*, unsigned) override {
    KJ_UNIMPLEMENTED("not needed here");
  }
  kj::Own<kj::Network> restrictPeers(kj::ArrayPtr<const kj::StringPtr>,
                                     kj::ArrayPtr<const kj::StringPtr>) override {
    KJ_UNIMPLEMENTED("not needed here");
  }

private:
  class Address final: public kj::NetworkAddress {
  public:
    Address(FakeNetwork& network, kj::StringPtr text): network(network), text(kj::str(text)) {}

    kj::Promise<kj::Own<kj::AsyncIoStream>> connect() override {
      auto found = network.listeners.find(text.cStr());
      if (found == network.listeners.end()) {
        return KJ_EXCEPTION(DISCONNECTED, "connect(): Connection refused");
      }
      auto pipe = kj::newTwoWayPipe();
      found->second(kj::mv(pipe.ends[1]));
      return kj::mv(pipe.ends[0]);
    }
    kj::Own<kj::ConnectionReceiver> listen() override { KJ_UNIMPLEMENTED("not needed here"); }
    kj::Own<kj::NetworkAddress> clone() override { return kj::heap<Address>(network, text); }
    kj::String toString() override { return kj::str(text); }

  private:
    FakeNetwork& network;
    kj::String text;
  };
};

class World {
public:
  kj::EventLoop loop;
  kj::WaitScope waitScope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>() + 1 * kj::SECONDS};
  FakeNetwork network;
  FixedRandom random;
  // By address.  The servers come after their scripts, to which they refer.
  std::map<std::string, Script> scripts;
  Script masterScript;
  std::map<std::string, kj::Own<capnp::TwoPartyServer>> servers;
  std::vector<kj::Own<kj::AsyncIoStream>> paused;

  // Starts a node whose script says that the chain has `members`, head first.
  Script& start(const std::string& address, const std::vector<MemberPlan>& members) {
    auto& script = scripts[address];
    script.members = members;
    listen(address, kj::heap<ScriptedNode>(script));
    return script;
  }

  // Starts a master that reports `members`.  Its script is not among `scripts`.
  void startMaster(const std::string& address, const std::vector<MemberPlan>& members) {
    masterScript.members = members;
    listen(address, kj::heap<ScriptedMaster>(masterScript));
  }

  // Acts like SIGKILL: connections break, new ones are refused.
  void kill(const std::string& address) {
    network.listeners.erase(address);
    servers.erase(address);
  }

  // Acts like SIGSTOP before anybody connected: connections are made, but nothing is answered.
  void pause(const std::string& address) {
    network.listeners[address] = [this](kj::Own<kj::AsyncIoStream> stream) {
      paused.push_back(kj::mv(stream));
    };
  }

  template <typename... Address>
  kj::Own<Client> client(Address... seeds) {
    return clientWith(Client::Limits(), seeds...);
  }
  template <typename... Address>
  kj::Own<Client> clientWith(Client::Limits limits, Address... seeds) {
    auto list = kj::heapArrayBuilder<kj::String>(sizeof...(seeds));
    (list.add(kj::str(seeds)), ...);
    return kj::heap<Client>(network, timer, random, list.asPtr(), limits);
  }

  // Lets time pass until `promise` is done.
  template <typename T>
  T run(kj::Promise<T> promise) {
    while (!promise.poll(waitScope)) {
      timer.advanceTo(KJ_REQUIRE_NONNULL(timer.nextEvent(), "nothing will ever happen again"));
    }
    return promise.wait(waitScope);
  }
  void pass(kj::Duration time) { run(timer.afterDelay(time)); }

private:
  void listen(const std::string& address, capnp::Capability::Client bootstrap) {
    servers[address] = kj::heap<capnp::TwoPartyServer>(kj::mv(bootstrap));
    network.listeners[address] = [this, address](kj::Own<kj::AsyncIoStream> stream) {
      servers[address]->accept(kj::mv(stream));
    };
  }
};

inline BidOrder order(std::int64_t amount) {
  static const kj::byte CREDENTIAL[16] = {1, 2, 3};
  return BidOrder{"lamp", {"ann", kj::arrayPtr(CREDENTIAL, 16)}, amount};
}

inline bool isException(const WriteResult& result, schema::Outcome::Exception::Reason reason) {
  return result.outcome().isException() && result.outcome().getException().getReason() == reason;
}

}  // namespace gavel::client::testing
