#include <cstring>

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

// Keeps the parameters of the last call of any method, and answers with a struct that no schema
// knows.
class Recorder final: public capnp::Capability::Server {
public:
  DispatchCallResult dispatchCall(std::uint64_t interface, std::uint16_t ordinal,
                                  Call call) override {
    EXPECT_EQ(interface, capnp::typeId<schema::Auctioneer>());
    method = ordinal;
    params.getRoot<capnp::AnyPointer>().set(call.getParams());
    fill(call.getResults().initAsAnyStruct(6, 6), "an answer");
    return {kj::READY_NOW, false};
  }

  std::uint16_t method = 0;
  capnp::MallocMessageBuilder params;
};

// A member that only takes calls that are passed on to it.
class OnlyForwarded final: public schema::NodeService::Server {
public:
  explicit OnlyForwarded(capnp::Capability::Client target): target(kj::mv(target)) {}

  kj::Promise<void> forward(ForwardContext context) override {
    context.getResults().initResult().setAuctioneer(target.castAs<schema::Auctioneer>());
    return kj::READY_NOW;
  }

private:
  capnp::Capability::Client target;
};

class Forward: public ChainFixture {
protected:
  ~Forward() noexcept override = default;

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
  startChain(1);
  auto owned = kj::heap<Recorder>();
  auto& recorder = *owned;
  auto listener = io.provider->getNetwork()
                      .parseAddress(gavel::testing::ownAddress())
                      .wait(io.waitScope)
                      ->listen();
  Server server(capnp::Capability::Client(kj::heap<OnlyForwarded>(kj::mv(owned))),
                io.provider->getTimer(), 100);
  auto serving = server.listen(*listener).eagerlyEvaluate(nullptr);
  ++configuration.epoch;
  auto address = gavel::testing::ownHost() + ":" + std::to_string(listener->getPort());
  configuration.members = {{"n9", address, 999, 999, true}};
  within(replica(0).adopt(configuration), "a chain of another node");

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
  ++configuration.epoch;
  configuration.members = {{"n9", gavel::testing::ownHost() + ":1", 999, 999, true}};
  within(replica(0).adopt(configuration), "a chain of a node that does not run");
  auto client = connect(0);
  for (auto method: methods()) {
    auto request =
        capnp::DynamicCapability::Client(client.castAs<schema::Auctioneer>()).newRequest(method);
    if (method.getParamType().findFieldByName("requests") != nullptr) request.init("requests", 3);
    auto response = within(request.send().dropPipeline(), "an answer");
    auto text = kj::str(response);
    EXPECT_THAT(text.cStr(), HasSubstr("unavailable")) << method.getProto().getName().cStr();
    EXPECT_THAT(text.cStr(), HasSubstr("cannot reach n9"));
    EXPECT_EQ(isWrite(method), response.getSchema().findFieldByName("outcome") != nullptr ||
                                   response.getSchema().findFieldByName("outcomes") != nullptr);
  }
}

TEST_F(Forward, MoreBidsThanACallMayHaveAreRefused) {
  startChain(1);
  ++configuration.epoch;
  configuration.members = {{"n9", gavel::testing::ownHost() + ":1", 999, 999, true}};
  within(replica(0).adopt(configuration), "a chain of a node that does not run");
  auto request = connect(0).bidsRequest();
  request.initRequests(MAX_BIDS_PER_CALL + 1);
  auto refusal =
      within(request.send().then([](auto&&) { return kj::str(); },
                                 [](kj::Exception&& e) { return kj::str(e.getDescription()); }),
             "a refusal");
  EXPECT_THAT(refusal.cStr(), HasSubstr("too many bids in one call"));
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
