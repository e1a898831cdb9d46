#include "tests/master/world.h"

#include "master/document.h"

namespace gavel::master {
namespace {

class FakeAddress final: public kj::NetworkAddress {
public:
  FakeAddress(FakeNetwork& network, std::string name): network(network), name(std::move(name)) {}

  kj::Promise<kj::Own<kj::AsyncIoStream>> connect() override { return network.connect(name); }
  kj::Own<kj::ConnectionReceiver> listen() override { KJ_UNIMPLEMENTED("in-memory"); }
  kj::Own<kj::NetworkAddress> clone() override { return kj::heap<FakeAddress>(network, name); }
  kj::String toString() override { return kj::str(name.c_str()); }

private:
  FakeNetwork& network;
  std::string name;
};

}  // namespace

kj::Own<kj::AsyncIoStream> StreamServer::connect() {
  auto pipe = kj::newTwoWayPipe();
  auto& here = *pipe.ends[0];
  tasks.add(server.accept(here).attach(kj::mv(pipe.ends[0])));
  return kj::mv(pipe.ends[1]);
}

kj::Promise<kj::Own<kj::NetworkAddress>> FakeNetwork::parseAddress(kj::StringPtr address,
                                                                   unsigned portHint) {
  KJ_REQUIRE(address.findFirst(':') != nullptr && !unresolved, "no such host", address);
  return kj::Own<kj::NetworkAddress>(kj::heap<FakeAddress>(*this, address.cStr()));
}

kj::Promise<kj::Own<kj::AsyncIoStream>> FakeNetwork::connect(const std::string& address) {
  ++connects;
  if (outOfFiles) return KJ_EXCEPTION(OVERLOADED, "Too many open files");
  auto found = endpoints.find(address);
  if (found == endpoints.end()) return KJ_EXCEPTION(DISCONNECTED, "Connection refused");
  auto& endpoint = found->second;
  if (endpoint.reaction == Reaction::serve) return endpoint.server->connect();
  auto pipe = kj::newTwoWayPipe();
  if (endpoint.reaction == Reaction::silent) silent.add(kj::mv(pipe.ends[0]));
  return kj::mv(pipe.ends[1]);
}

class FakeNode::Control final: public schema::NodeControl::Server {
public:
  explicit Control(FakeNode& node): node(node) {}

  kj::Promise<void> configure(ConfigureContext context) override {
    if (node.paused) return kj::NEVER_DONE;
    node.adopt(Configuration::read(context.getParams().getConfiguration()));
    return kj::READY_NOW;
  }

  kj::Promise<void> acceptClock(AcceptClockContext context) override {
    if (node.paused) return kj::NEVER_DONE;
    node.acceptedClocks.push_back(context.getParams().getLimit());
    context.getResults().setRefused(node.refusesClock.c_str());
    return kj::READY_NOW;
  }

private:
  FakeNode& node;
};

class FakeNode::Service final: public schema::NodeService::Server {
public:
  explicit Service(FakeNode& node): node(node) {}

  kj::Promise<void> status(StatusContext context) override {
    if (node.paused) return kj::NEVER_DONE;
    node.writeStatus(context.getResults().initStatus());
    return kj::READY_NOW;
  }

  kj::Promise<void> configuration(ConfigurationContext context) override {
    if (node.paused) return kj::NEVER_DONE;
    node.adopted.write(context.getResults().initConfiguration());
    return kj::READY_NOW;
  }

  // Follows chain/replica-promise.cc.
  kj::Promise<void> promise(PromiseContext context) override {
    if (node.paused) return kj::NEVER_DONE;
    auto params = context.getParams();
    auto newest = Configuration::read(params.getConfiguration());
    auto result = context.getResults().initResult();
    if (node.onPromise) node.onPromise();
    if (node.adopted.epoch > newest.epoch) {
      node.adopted.write(result.initNewer());
      return kj::READY_NOW;
    }
    bool held = node.adopted.epoch < newest.epoch && node.promised > newest.epoch &&
                params.getReleased() != node.adopted.epoch;
    if (!node.refusesPromise.empty() || params.getEpoch() <= node.promised || held) {
      result.setRefused(held ? "it has promised another" : node.refusesPromise.c_str());
      return kj::READY_NOW;
    }
    node.promised = 0;
    node.adopt(newest);
    node.promised = params.getEpoch();
    node.promisedReign = params.getReign();
    node.writeStatus(result.initPromised());
    return kj::READY_NOW;
  }

private:
  FakeNode& node;
};

FakeNode::FakeNode(World& world, std::string name, std::uint64_t storeId, std::uint64_t incarnation)
    : world(world),
      name(name),
      address(name + ":" + std::to_string(incarnation)),
      storeId(storeId),
      incarnation(incarnation) {}

FakeNode::~FakeNode() noexcept(false) {
  kill();
}

void FakeNode::start() {
  server = kj::heap<StreamServer>(kj::heap<Service>(*this));
  world.network.endpoints[address] = {Reaction::serve, server.get()};
  life = live().eagerlyEvaluate([](kj::Exception&& exception) { KJ_LOG(ERROR, exception); });
}

void FakeNode::registerAgain() {
  first = kj::mv(connection);
  life = live().eagerlyEvaluate([](kj::Exception&& exception) { KJ_LOG(ERROR, exception); });
}

void FakeNode::kill() {
  if (server.get() == nullptr) return;
  first = nullptr;
  world.network.endpoints.erase(address);
  life = nullptr;
  registration = nullptr;
  connection = nullptr;
  server = nullptr;
}

void FakeNode::adopt(const Configuration& configuration) {
  if (configuration.epoch <= adopted.epoch || configuration.epoch < promised) return;
  adopted = configuration;
  if (!adopted.contains(incarnation)) return;
  clusterId = adopted.clusterId;
  empty = false;
}

void FakeNode::gate(std::uint64_t epoch, std::uint64_t joiner) {
  auto request = KJ_ASSERT_NONNULL(registration).gateRequest();
  request.setEpoch(epoch);
  request.setJoiner(joiner);
  world.wait(request.send().ignoreResult());
}

kj::Promise<void> FakeNode::gateJoiner() {
  auto* tail = adopted.tail();
  auto* joiner = adopted.joiner();
  if (!gates || tail == nullptr || joiner == nullptr) return kj::READY_NOW;
  if (tail->incarnation != incarnation) return kj::READY_NOW;
  world.running(joiner->incarnation).last = last;
  KJ_IF_MAYBE (target, registration) {
    auto request = target->gateRequest();
    request.setEpoch(adopted.epoch);
    request.setJoiner(joiner->incarnation);
    return request.send().ignoreResult();
  }
  return kj::READY_NOW;
}

void FakeNode::report(const FakeNode& suspect) {
  auto request = KJ_ASSERT_NONNULL(registration).reportRequest();
  request.setEpoch(adopted.epoch);
  request.setSuspect(suspect.incarnation);
  request.setReason("no answer");
  world.wait(request.send().ignoreResult());
}

kj::Promise<void> FakeNode::reportLink(const FakeNode& peer, bool broken, bool gating) {
  KJ_IF_MAYBE (target, registration) {
    auto request = target->linkRequest();
    auto report = request.initReport();
    report.setEpoch(adopted.epoch);
    report.setPeer(peer.incarnation);
    report.setState(broken ? schema::LinkReport::State::PATH_DEAD
                           : schema::LinkReport::State::WORKS);
    report.setSince(broken ? 1'000'000'000 : 0);
    report.setGating(gating);
    return request.send().ignoreResult();
  }
  return kj::READY_NOW;
}

kj::Promise<void> FakeNode::live() {
  return kj::evalNow([this]() { return connectOnce(); })
      .catch_([](kj::Exception&&) {})
      .then([this]() -> kj::Promise<void> {
        registration = nullptr;
        // A member of a chain keeps trying.
        if (!reconnects || (refusal != "" && clusterId == 0)) return kj::NEVER_DONE;
        return world.timer.afterDelay(10 * kj::MILLISECONDS);
      })
      .then([this]() { return live(); });
}

kj::Promise<void> FakeNode::connectOnce() {
  if (world.masterServer.get() == nullptr) return kj::READY_NOW;
  connection = kj::heap<PlainConnection>(world.masterServer->connect());
  auto request = connection->bootstrap<schema::MasterService>().registerRequest();
  request.setProtocolVersion(protocolVersion);
  request.setClusterId(clusterId);
  request.setEmpty(empty);
  request.setControl(kj::heap<Control>(*this));
  writeStatus(request.initStatus());
  return request.send().then([this](auto&& response) -> kj::Promise<void> {
    auto result = response.getResult();
    if (result.isRefused()) {
      refusal = result.getRefused().cStr();
      return kj::READY_NOW;
    }
    notNow = result.isNotNow() ? result.getNotNow().cStr() : "";
    if (result.isNotNow()) return kj::READY_NOW;
    ++registrations;
    auto registered = result.getRegistered();
    registration = registered.getRegistration();
    adopt(Configuration::read(registered.getConfiguration()));
    return beat(registered.getHeartbeatInterval() * kj::NANOSECONDS)
        .exclusiveJoin(connection->onDisconnect());
  });
}

kj::Promise<void> FakeNode::beat(kj::Duration interval) {
  return world.timer.afterDelay(interval)
      .then([this]() -> kj::Promise<void> {
        if (paused || mute) return kj::READY_NOW;
        KJ_IF_MAYBE (target, registration) {
          auto request = target->heartbeatRequest();
          writeStatus(request.initStatus());
          return request.send().ignoreResult().then([this]() { return gateJoiner(); });
        }
        return kj::READY_NOW;
      })
      .then([this, interval]() { return beat(interval); });
}

void FakeNode::writeStatus(schema::NodeStatus::Builder status) const {
  status.setName(name.c_str());
  status.setAddress(advertised.empty() ? address.c_str() : advertised.c_str());
  status.setIncarnation(incarnation);
  status.setStoreId(storeId);
  status.setEpoch(adopted.epoch);
  status.setReign(adopted.reign);
  status.setPromisedEpoch(promised > adopted.epoch ? promised : 0);
  status.setPromisedReign(promisedReign);
  status.setGeneration(generation);
  status.setLast(last);
  auto end = status.initEnd();
  end.setEpoch(1);
  end.setIndex(last);
  end.setChecksum(last);
  auto known = status.initBound();
  known.initAt().setEpoch(1);
  known.getAt().setIndex(bound);
  known.getAt().setChecksum(bound);
  known.setMadeIn(bound == 0 ? 0 : std::max<std::uint64_t>(1, adopted.epoch));
  status.setClusterId(clusterId);
  status.setDurable(last);
  status.setCommit(commit);
  status.setDamage(damage.c_str());
  status.setUnsynced(unsynced);
  status.setDiskHangs(diskHangs);
  auto pace = status.initSyncs();
  pace.setCount(syncs);
  pace.setSum(static_cast<std::int64_t>(syncs) * (syncMedian / kj::NANOSECONDS));
  pace.setMedian(syncMedian / kj::NANOSECONDS);
  status.setWallClock(world.clock.wall() + skew);
}

World::World() = default;

World::~World() noexcept(false) {
  nodes.clear();
  clients.clear();
  killMaster();
}

void World::startMaster() {
  master = Master::open(timer, network, *store, clock, random, settings).wait(waitScope);
  masterServer = kj::heap<StreamServer>(serve(*master));
}

void World::killMaster() {
  masterServer = nullptr;
  master = nullptr;
}

FakeNode& World::makeNode(const std::string& name, std::uint64_t storeId) {
  auto incarnation = ++lastId;
  if (storeId == 0) storeId = ++lastId;
  nodes.push_back(std::make_unique<FakeNode>(*this, name, storeId, incarnation));
  return *nodes.back();
}

FakeNode& World::startNode(const std::string& name, std::uint64_t storeId) {
  auto& node = makeNode(name, storeId);
  node.start();
  return node;
}

FakeNode& World::makeSuccessor(FakeNode& old) {
  old.kill();
  auto& node = makeNode(old.name, old.storeId);
  node.clusterId = old.clusterId;
  node.empty = old.empty;
  node.generation = old.generation + 1;
  node.last = old.last;
  node.promised = old.promised;
  node.promisedReign = old.promisedReign;
  return node;
}

FakeNode& World::restart(FakeNode& old) {
  auto& node = makeSuccessor(old);
  node.start();
  return node;
}

FakeNode& World::running(std::uint64_t incarnation) {
  for (auto& node: nodes) {
    if (node->incarnation == incarnation) return *node;
  }
  KJ_FAIL_REQUIRE("no such node", incarnation);
}

void World::startChain(unsigned members) {
  settings.replicas = members;
  startMaster();
  for (unsigned i = 1; i <= members; ++i) startNode("n" + std::to_string(i));
  runUntil([this]() {
    for (auto& node: nodes) {
      if (node->adopted.epoch != 1) return false;
    }
    return true;
  });
}

kj::Duration World::runUntil(const std::function<bool()>& done, kj::Duration limit) {
  auto start = timer.now();
  for (;;) {
    waitScope.poll();
    if (done()) return timer.now() - start;
    // Advances from event to event: one big step would skip the timers that timers set.
    auto next = KJ_REQUIRE_NONNULL(timer.nextEvent(), "nothing will ever happen");
    KJ_REQUIRE(next - start <= limit, "still waiting", limit);
    timer.advanceTo(kj::max(next, timer.now()));
  }
}

void World::runFor(kj::Duration duration) {
  bool over = false;
  auto end = timer.afterDelay(duration).then([&]() { over = true; }).eagerlyEvaluate(nullptr);
  runUntil([&]() { return over; }, duration + 1 * kj::SECONDS);
}

bool World::adoptedBy(std::initializer_list<FakeNode*> those) const {
  for (auto* node: those) {
    if (node->adopted != master->current()) return false;
  }
  return true;
}

schema::MasterService::Client World::client() {
  clients.push_back(kj::heap<PlainConnection>(masterServer->connect()));
  return clients.back()->bootstrap<schema::MasterService>();
}

}  // namespace gavel::master
