#include <cstring>
#include <optional>

#include <capnp/dynamic.h>
#include <gmock/gmock.h>

#include "node/local-desk.h"
#include "node/results.h"
#include "tests/node/chain-fixture.h"

// Calls that a node passes on to the head or the tail.
namespace gavel::node {
namespace {

using ::testing::HasSubstr;
using Reason = schema::Outcome::Exception::Reason;
using Call = Forwarder::Call;

capnp::InterfaceSchema::MethodList methods() {
  return capnp::Schema::from<schema::Auctioneer>().getMethods();
}

// A struct of which no schema knows, of this many words and pointers.
void fill(capnp::AnyStruct::Builder builder, kj::StringPtr text) {
  kj::byte next = 1;
  for (auto& byte: builder.getDataSection()) byte = next++;
  for (auto pointer: builder.getPointerSection()) pointer.setAs<capnp::Text>(text);
}

// Takes calls, and never answers.
class NeverAnswers final: public capnp::Capability::Server {
public:
  DispatchCallResult dispatchCall(std::uint64_t, std::uint16_t, Call) override {
    ++calls;
    return {kj::NEVER_DONE, false};
  }

  unsigned calls = 0;
};

// Keeps the parameters of the last call of any method, and answers with a struct that no schema
// knows.
class Recorder final: public capnp::Capability::Server {
public:
  DispatchCallResult dispatchCall(std::uint64_t interface, std::uint16_t ordinal,
                                  Call call) override {
    EXPECT_EQ(interface, capnp::typeId<schema::Auctioneer>());
    ++calls;
    method = ordinal;
    params.getRoot<capnp::AnyPointer>().set(call.getParams());
    fill(call.getResults().initAsAnyStruct(6, 6), "an answer");
    return {kj::READY_NOW, false};
  }

  unsigned calls = 0;
  std::uint16_t method = 0;
  capnp::MallocMessageBuilder params;
};

// A member that only takes calls that are passed on to it.
class OnlyForwarded final: public schema::NodeService::Server {
public:
  explicit OnlyForwarded(capnp::Capability::Client target, kj::Promise<void> opened = kj::READY_NOW)
      : target(kj::mv(target)), opened(opened.fork()) {}

  kj::Promise<void> forward(ForwardContext context) override {
    asked = true;
    return opened.addBranch().then([this, context]() mutable {
      context.getResults().initResult().setAuctioneer(target.castAs<schema::Auctioneer>());
    });
  }

  bool asked = false;

private:
  capnp::Capability::Client target;
  kj::ForkedPromise<void> opened;
};

class Forward: public ChainFixture {
protected:
  ~Forward() noexcept override = default;

  // Node 0 goes on in a chain of another node, which is served by `member`.
  void leadTo(kj::Own<OnlyForwarded> member) {
    startChain(1);
    listener = io.provider->getNetwork()
                   .parseAddress(gavel::testing::ownAddress())
                   .wait(io.waitScope)
                   ->listen();
    server.emplace(capnp::Capability::Client(kj::mv(member)), io.provider->getTimer(), 100);
    serving = server->listen(*listener).eagerlyEvaluate(nullptr);
    leadTo(gavel::testing::ownHost() + ":" + std::to_string(listener->getPort()));
  }
  void leadTo(std::string address) {
    auto id = ++configuration.epoch + 1000;
    configuration.members = {{"n9", address, id, id, true}};
    within(replica(0).adopt(configuration), "a chain of another node");
  }

  // Resolves once `calls` shows that the connection to the member stands.  On a busy machine it may
  // take several attempts.
  void warmUp(const unsigned& calls) {
    auto client = connect(0);
    kj::Promise<void> asking = kj::READY_NOW;
    until("a call to be passed on", [&]() {
      if (asking.poll(io.waitScope)) asking = bid(client, 1, 1, 100).ignoreResult();
      return calls > 0;
    });
  }

  kj::Own<kj::ConnectionReceiver> listener;
  std::optional<Server> server;
  kj::Promise<void> serving = nullptr;

  // Asks for `method` with a struct that is larger than the method's own.
  capnp::RemotePromise<capnp::AnyPointer> ask(capnp::Capability::Client client,
                                              capnp::InterfaceSchema::Method method) {
    auto id = method.getContainingInterface().getProto().getId();
#if CAPNP_VERSION >= 1000000
    auto request = client.typelessRequest(id, method.getOrdinal(), nullptr, {});
#else
    auto request = client.typelessRequest(id, method.getOrdinal(), nullptr);
#endif
    fill(request.initAsAnyStruct(7, 7), "a parameter");
    return request.send();
  }
};

TEST_F(Forward, PassesEachMethodOnWholeWithFieldsThatItDoesNotKnow) {
  auto owned = kj::heap<Recorder>();
  auto& recorder = *owned;
  leadTo(kj::heap<OnlyForwarded>(kj::mv(owned)));
  warmUp(recorder.calls);

  auto client = connect(0);
  capnp::MallocMessageBuilder sent;
  fill(sent.getRoot<capnp::AnyPointer>().initAsAnyStruct(7, 7), "a parameter");
  capnp::MallocMessageBuilder answer;
  fill(answer.getRoot<capnp::AnyPointer>().initAsAnyStruct(6, 6), "an answer");
  ASSERT_GE(methods().size(), 12u);
  for (auto method: methods()) {
    auto name = method.getProto().getName().cStr();
    auto response = within(ask(client, method).dropPipeline(), "an answer");
    EXPECT_EQ(recorder.method, method.getOrdinal()) << name;
    EXPECT_TRUE(recorder.params.getRoot<capnp::AnyPointer>().asReader() ==
                sent.getRoot<capnp::AnyPointer>().asReader())
        << name;
    EXPECT_TRUE(response == answer.getRoot<capnp::AnyPointer>().asReader()) << name;
  }
}

// Or a method would be added whose failures nobody can read.
TEST_F(Forward, SaysForEachMethodWhyItWasNotPassedOn) {
  startChain(1);
  leadTo(gavel::testing::ownHost() + ":1");  // Nobody listens there.
  auto client = connect(0);
  for (auto method: methods()) {
    auto request =
        capnp::DynamicCapability::Client(client.castAs<schema::Auctioneer>()).newRequest(method);
    if (method.getParamType().findFieldByName("requests") != nullptr) request.init("requests", 3);
    auto response = within(request.send().dropPipeline(), "an answer");
    auto text = kj::str(response);
    EXPECT_THAT(text.cStr(), HasSubstr("unavailable")) << method.getProto().getName().cStr();
    EXPECT_THAT(text.cStr(), HasSubstr("cannot reach n9"));
    EXPECT_EQ(isWrite(method.getOrdinal()),
              response.getSchema().findFieldByName("outcome") != nullptr ||
                  response.getSchema().findFieldByName("outcomes") != nullptr);
  }
}

TEST_F(Forward, MoreBidsThanACallMayHaveAreRefused) {
  startChain(1);
  leadTo(gavel::testing::ownHost() + ":1");  // Nobody listens there.
  auto request = connect(0).bidsRequest();
  request.initRequests(MAX_BIDS_PER_CALL + 1);
  auto refusal =
      within(request.send().then([](auto&&) { return kj::str(); },
                                 [](kj::Exception&& e) { return kj::str(e.getDescription()); }),
             "a refusal");
  EXPECT_THAT(refusal.cStr(), HasSubstr("too many bids in one call"));
}

// Passes on what it gets.
class Passes final: public capnp::Capability::Server {
public:
  Passes(Forwarder& forwarder, const Member& member): forwarder(forwarder), member(member) {}

  DispatchCallResult dispatchCall(std::uint64_t, std::uint16_t ordinal, Call call) override {
    return {forwarder.pass(methods()[ordinal], call, &member), false};
  }

private:
  Forwarder& forwarder;
  const Member member;
};

// A stranger who leaves many large calls cannot make the node grow (R13).
TEST_F(Forward, CallsThatTakeMuchTogetherAreRefused) {
  auto owned = kj::heap<NeverAnswers>();
  auto& target = *owned;
  leadTo(kj::heap<OnlyForwarded>(kj::mv(owned)));
  Forwarder forwarder(replica(0), io.provider->getNetwork(), io.provider->getTimer(),
                      {100'000, 1 * kj::HOURS});
  auto client = capnp::Capability::Client(kj::heap<Passes>(forwarder, *replica(0).newest().head()))
                    .castAs<schema::Auctioneer>();
  auto bidOn = [&](kj::StringPtr name) {
    auto request = client.bidRequest();
    request.initBid().setAuction(name);
    return request.send().dropPipeline();
  };
  auto name = kj::heapString(60'000);
  memset(name.begin(), 'x', name.size());
  auto first = bidOn(name);
  until("the first one to be passed on", [&]() {
    if (first.poll(io.waitScope)) first = bidOn(name);  // The connection took too long to open.
    return target.calls == 1;
  });
  auto response = within(bidOn(name), "a refusal");
  EXPECT_EQ(response.getOutcome().getException().getReason(), Reason::UNAVAILABLE);
  EXPECT_THAT(response.getOutcome().getException().getDetail().cStr(), HasSubstr("overloaded"));
  auto small = bidOn("lamp");
  until("a small one to be passed on", [&]() { return target.calls == 2; });
}

TEST_F(Forward, ACallIsUnknownThatAMemberNeverAnswers) {
  auto owned = kj::heap<NeverAnswers>();
  auto& target = *owned;
  leadTo(kj::heap<OnlyForwarded>(kj::mv(owned)));
  warmUp(target.calls);
  auto client = connect(0);
  auto response = within(bid(client, 1, 1, 100), "an outcome");
  EXPECT_EQ(response.getOutcome().getException().getReason(), Reason::OUTCOME_UNKNOWN);
}

// The member leaves the chain while the connection to it is being opened.
TEST_F(Forward, NothingIsSentToAMemberThatHasLeftMeanwhile) {
  auto owned = kj::heap<NeverAnswers>();
  auto& target = *owned;
  auto opened = kj::newPromiseAndFulfiller<void>();
  auto member = kj::heap<OnlyForwarded>(kj::mv(owned), kj::mv(opened.promise));
  auto& asked = member->asked;
  leadTo(kj::mv(member));
  auto client = connect(0);
  auto pending = bid(client, 1, 1, 100);
  until("the connection to be asked for", [&]() { return asked; });
  leadTo(gavel::testing::ownHost() + ":1");
  opened.fulfiller->fulfill();
  auto response = within(kj::mv(pending), "a refusal");
  EXPECT_EQ(response.getOutcome().getException().getReason(), Reason::UNAVAILABLE);
  EXPECT_EQ(target.calls, 0u);
}

// The chain is re-linked while a bid is under way at the head.
class UnderWay: public Forward {
protected:
  ~UnderWay() noexcept override = default;

  // A bid by way of the tail, which the head has and cannot commit.
  void begin() {
    startChain(3);
    asked = connect(2);
    session = openSession(asked);
    createAuction(asked, session, 1, "lamp");
    auto before = replica(0).logEnd().index;
    kill(1);
    pending = bid(asked, session, 2, 100).dropPipeline();
    until("the head to have it", [&]() { return replica(0).logEnd().index > before; });
  }

  schema::NodeService::Client asked = nullptr;
  std::uint64_t session = 0;
  kj::Promise<BidResponse> pending = nullptr;
};

TEST_F(UnderWay, IsAnsweredByAHeadThatStays) {
  begin();
  relink({0, 2});
  auto outcome = within(kj::mv(pending), "the bid");
  EXPECT_TRUE(outcome.getOutcome().isSuccess()) << kj::str(outcome).cStr();
}

TEST_F(UnderWay, IsUnknownWhereTheHeadWasRemoved) {
  begin();
  configuration = next({2});
  within(replica(2).adopt(configuration), "the tail to go on alone");
  auto response = within(kj::mv(pending), "the bid");
  auto outcome = response.getOutcome();
  ASSERT_TRUE(outcome.isException());
  EXPECT_EQ(outcome.getException().getReason(), Reason::OUTCOME_UNKNOWN);
  EXPECT_THAT(outcome.getException().getDetail().cStr(), HasSubstr("n1"));
}

TEST_F(UnderWay, IsUnknownWhereTheHeadIsKilled) {
  begin();
  kill(0);
  auto response = within(kj::mv(pending), "the bid");
  EXPECT_EQ(response.getOutcome().getException().getReason(), Reason::OUTCOME_UNKNOWN);
}

}  // namespace
}  // namespace gavel::node
