#include "tests/scenarios/world.h"

#include <algorithm>
#include <fmt/format.h>

#include <capnp/message.h>
#include <kj/debug.h>

namespace gavel::scenarios {
namespace {

constexpr auto MESSAGE = 1 * kj::MILLISECONDS;
constexpr auto SYNC = 4 * kj::MILLISECONDS;
// Ids are drawn from there, and told nowhere.
constexpr std::uint64_t SEED = 1;
// What has not come about until then does not.
constexpr auto PATIENCE = 60 * kj::SECONDS;
constexpr const char* AUCTION = "lamp";

kj::ArrayPtr<const kj::byte> credential() {
  return kj::StringPtr("a secret of 16 b").asBytes();
}

std::string describe(const Configuration& configuration) {
  std::string text;
  for (auto& member: configuration.members) {
    bool serves = member.serving;
    text += (text.empty() ? "" : serves ? " > " : ", ") + member.name + (serves ? "" : " joins");
  }
  return text;
}

}  // namespace

Setting::Setting() {
  disk.longestSync = SYNC;
  disk.fixed = true;
}

// What runs in c1.
class World::Program final: private kj::TaskSet::ErrorHandler {
public:
  Program(World& world, kj::ArrayPtr<const kj::String> seeds)
      : network(world.wire.network(*world.client, world.clientHost)),
        client(*network, world.client->timer(), world.client->random(), seeds),
        tasks(*this) {}
  KJ_DISALLOW_COPY(Program);

  kj::Own<kj::Network> network;
  client::Client client;
  kj::TaskSet tasks;

private:
  void taskFailed(kj::Exception&& exception) override {
    kj::throwFatalException(kj::mv(exception));
  }
};

World::World(Setting worldSetting)
    : setting(std::move(worldSetting)),
      wire(engine, simulation::Dice(SEED)),
      configStore(engine, simulation::Dice(SEED), setting.storeDelay),
      lostStore(engine, simulation::Dice(SEED), setting.storeDelay),
      words([this](std::uint64_t incarnation) {
        auto found = names.find(incarnation);
        return found == names.end() ? std::string("somebody") : found->second;
      }) {
  simulation::Dice dice(SEED);
  wire.setFixedDelay(MESSAGE);
  configStore.setFixedDelay(setting.storeDelay);
  lostStore.setFixedDelay(setting.storeDelay);
  auto options = setting.node;
  options.limits.pace.clock = &noWork;
  options.replica.pace.clock = &noWork;
  auto masterSettings = setting.master;
  masterSettings.replicas = setting.replicas;
  for (unsigned i = 1; i <= setting.masters; ++i) {
    masters.push_back(std::make_unique<simulation::MasterMachine>(
        engine, wire, dice.fork(), fmt::format("m{}", i), configStore, masterSettings));
    options.masters.push_back(masters.back()->address());
    machines[masters.back()->name()] = masters.back().get();
  }
  for (unsigned i = 1; i <= setting.nodes; ++i) {
    nodes.push_back(std::make_unique<simulation::NodeMachine>(
        engine, wire, dice.fork(), fmt::format("n{}", i), setting.disk, options));
    machines[nodes.back()->name()] = nodes.back().get();
  }
  for (auto& master: masters) {
    for (auto& node: nodes) master->clusterNodes.push_back(node->address());
  }
  clientHost = wire.addHost("c1");
  client = &engine.newProcess("c1", dice.fork(), clientOffset);
  listen();
}

World::~World() noexcept(false) {
  engine.shutDown();
}

void World::listen() {
  wire.onArrival = [this](auto& connection, unsigned from, kj::ArrayPtr<const kj::byte> bytes) {
    wiretap.arrived(connection, from, bytes);
  };
  wiretap.onCall = [this](simulation::Host from, simulation::Host to, Wiretap::Method method,
                          capnp::AnyPointer::Reader params) {
    tell(from, to, words.call(method, params));
  };
  wiretap.onReturn = [this](simulation::Host from, simulation::Host to, Wiretap::Method method,
                            capnp::rpc::Return::Reader answer) {
    tell(from, to, words.answer(method, answer));
  };
  engine.onLog = [this](std::string_view event) { events.emplace_back(event); };
  engine.onTurn = [this](simulation::Process&) { observe(); };
  engine.onEnd = [this](simulation::Process& process) {
    observeLogs();
    if (!process.lastWords().empty()) story_.state(process.name(), "ends: " + process.lastWords());
  };
  configStore.onStep = [this](simulation::SharedConfigStore::Step step,
                              simulation::Process& process) {
    if (step == simulation::SharedConfigStore::Step::asked) asking = &process;
  };
  configStore.onChange = [this](auto&, auto& after) {
    auto& next = after.current();
    auto* by = std::exchange(asking, nullptr);
    if (next.epoch == epoch()) return;  // Something else in the document.
    story_.state(by == nullptr ? "?" : by->name(),
                 fmt::format("stores epoch {}: {} ({})", next.epoch, describe(next), next.cause));
  };
}

void World::tell(simulation::Host from, simulation::Host to, const Words::Said& said) {
  if (said.words.empty()) return;
  auto& receiver = seen[wire.name(to)];
  auto known = std::max(receiver.epoch, receiver.epochTold);
  if (said.onlyEpoch && said.epoch <= known) return;
  receiver.epochTold = std::max(receiver.epochTold, said.epoch);
  if (said.index != 0 && said.index <= receiver.committedBefore) return;
  if (said.often) {
    story_.messageOnce(wire.name(from), wire.name(to), said.words);
  } else {
    story_.message(wire.name(from), wire.name(to), said.words);
  }
}

// -- what is seen

void World::observe() {
  observeLogs();
  for (auto& each: nodes) observe(*each);
}

void World::observeLogs() {
  auto& text = trace.text();
  while (traceRead < text.size()) {
    auto end = text.find('\n', traceRead);
    auto line = std::string_view(text).substr(traceRead, end - traceRead);
    traceRead = end + 1;
    if (events.empty()) continue;
    auto at = line.find(events.front());
    if (at == std::string_view::npos) continue;  // Not of a process's log.
    auto name = line.substr(line.find(' ') + 1);
    name = name.substr(0, name.find(' '));
    auto event = std::exchange(events.front(), {});
    events.pop_front();
    if (name == "c1") continue;
    if (auto told = wordsOfLog(event, line.substr(at))) story_.state(name, *told);
  }
}

void World::observe(simulation::NodeMachine& machine) {
  auto& before = seen[machine.name()];
  auto* node = machine.node();
  if (node == nullptr) {
    before = Seen();
    return;
  }
  auto& replica = node->replica();
  Seen now{node,
           replica.newest().epoch,
           replica.acting(),
           replica.logEnd().index,
           replica.durable(),
           replica.commit(),
           replica.gating()};
  std::string told;
  auto add = [&](const std::string& words) { told += (told.empty() ? "" : ", ") + words; };
  if (before.node != node) {
    names[replica.incarnation()] = machine.name();
    before = Seen();
    before.node = node;
    before.epoch = now.epoch;
    before.last = now.last;
    before.durable = now.durable;
    add(now.last == 0 ? "starts empty" : fmt::format("starts: log {} on its disk", now.last));
  }
  if (now.acting && (!before.acting || now.epoch != before.epoch)) {
    std::string role = roleName(replica.role());
    add(role == "waiting" ? fmt::format("has epoch {}, is no member", now.epoch)
                          : fmt::format("acts in epoch {} as {}", now.epoch, role));
  } else if (now.epoch != before.epoch) {
    add(fmt::format("hears of epoch {}{}", now.epoch, before.acting ? ", stops" : ""));
  } else if (before.acting && !now.acting) {
    add("stops");
  }
  if (now.last < before.last) {
    add(fmt::format("drops its log down to {}", now.last));
  } else if (now.last != before.last) {
    add(fmt::format("log {}", now.last));
  }
  if (now.durable != before.durable) add(fmt::format("durable {}", now.durable));
  if (now.commit != before.commit) add(fmt::format("commit {}", now.commit));
  if (now.gating && !before.gating) add("gates the joiner");
  now.epochTold = before.epochTold;
  now.committedBefore = now.epoch != before.epoch ? now.commit : before.committedBefore;
  before = now;
  if (!told.empty()) story_.state(machine.name(), told);
}

void World::observeStore() {
  auto* by = std::exchange(asking, nullptr);
  if (by != nullptr) {
    story_.state(by->name(), "asks for a swap too late: the store holds another document");
  }
}

void World::tellEnd() {
  story_.step("In the end");
  auto& current = configStore.current();
  story_.row(fmt::format("epoch {} is {}", current.epoch, describe(current)));
  for (auto& each: nodes) {
    auto* node = each->node();
    if (node == nullptr) {
      story_.row(each->name() + "  does not run");
      continue;
    }
    auto& replica = node->replica();
    story_.row(fmt::format("{}  {:<7}  epoch {}  log {}  durable {}  commit {}", each->name(),
                           roleName(replica.role()), replica.newest().epoch, replica.logEnd().index,
                           replica.durable(), replica.commit()));
  }
}

void World::tellNotice(std::string_view name) {
  auto notice = master(name).master()->notice();
  story_.state(name, "notice: " + (notice.empty() ? std::string("none") : notice));
}

// -- time

void World::go(simulation::Time duration) {
  engine.run(engine.now() + duration, [this]() {
    observeStore();
    return false;
  });
}

void World::settle(simulation::Time quiet) {
  auto end = engine.now() + PATIENCE;
  auto from = engine.now();
  while (engine.now() < end) {
    auto since = std::max(from, story_.last());
    if (engine.now() >= since + quiet) return;
    engine.run(since + quiet, [this]() {
      observeStore();
      return false;
    });
  }
  KJ_FAIL_REQUIRE("it does not come to rest", "so far", story_.text().c_str());
}

void World::until(std::string_view what, kj::FunctionParam<bool()> condition) {
  bool reached = condition();
  if (!reached) {
    engine.run(engine.now() + PATIENCE, [&]() {
      observeStore();
      return reached = condition();
    });
  }
  KJ_REQUIRE(reached, "it did not come about", std::string(what).c_str(), "so far",
             story_.text().c_str());
}

void World::untilEpoch(std::uint64_t number) {
  until(fmt::format("epoch {}", number), [&]() {
    if (epoch() < number) return false;
    for (auto& member: configStore.current().members) {
      auto* node = this->node(member.name).node();
      if (node == nullptr || !node->replica().actsIn(epoch())) return false;
    }
    return true;
  });
}

// -- deeds

simulation::Machine& World::machine(std::string_view name) {
  auto found = machines.find(name);
  KJ_REQUIRE(found != machines.end(), "no such machine", std::string(name).c_str());
  return *found->second;
}

simulation::NodeMachine& World::node(std::string_view name) {
  return dynamic_cast<simulation::NodeMachine&>(machine(name));
}

simulation::MasterMachine& World::master(std::string_view name) {
  return dynamic_cast<simulation::MasterMachine&>(machine(name));
}

void World::startClient() {
  engine.deliver(*client, [this]() {
    std::vector<kj::String> seeds;
    for (auto& node: nodes) seeds.push_back(kj::str(node->address().c_str()));
    auto made = kj::heap<Program>(*this, kj::arrayPtr(seeds.data(), seeds.size()));
    program = made.get();
    client->program = kj::mv(made);
  });
}

void World::form() {
  masters[0]->start();
  for (auto& node: nodes) node->start();
  untilEpoch(1);
}

void World::quietly(kj::FunctionParam<void()> happens) {
  story_.hush();
  happens();
  story_.speak();
}

void World::prepare() {
  quietly([this]() {
    form();
    create();
    until("the auction is there", [&]() { return ended_ == 1; });
    go(1 * kj::SECONDS);
  });
}

void World::inClient(kj::Function<kj::Promise<void>(client::Client&)> call) {
  if (program == nullptr) startClient();
  engine.deliver(*client, [this, call = kj::mv(call)]() mutable {
    program->tasks.add(call(program->client).then([this]() { ++ended_; }));
  });
}

void World::create() {
  inClient([](client::Client& client) {
    capnp::MallocMessageBuilder message;
    auto terms = message.initRoot<schema::Terms>();
    terms.setItem("A brass lamp");
    terms.setDuration(3600'000'000'000);
    return client.create(AUCTION, {"seller", credential()}, terms.asReader()).ignoreResult();
  });
}

void World::bid(std::string_view bidder, std::int64_t amount) {
  inClient([this, name = std::string(bidder), amount](client::Client& client) {
    return client.bid({AUCTION, {name.c_str(), credential()}, amount})
        .then([this, name, amount](client::WriteResult result) {
          if (!result.outcome().isException()) return;
          story_.state("c1", fmt::format("tells {} that the fate of {} is: {}", name, amount,
                                         result.outcome().getException().getDetail().cStr()));
        });
  });
}

void World::read(std::string_view name) {
  inClient([this, name = std::string(name)](client::Client& client) {
    return client.result(AUCTION, name.c_str()).then([this, name](client::Answer answer) {
      if (!answer.get().isFailure()) return;
      story_.state("c1", fmt::format("has no answer of {}: {}", name,
                                     answer.get().getFailure().getDetail().cStr()));
    });
  });
}

void World::start(std::string_view name) {
  story_.deed(fmt::format("{} is started", name));
  machine(name).start();
}

void World::kill(std::string_view name) {
  story_.deed(fmt::format("{} is killed", name));
  machine(name).kill("as the scenario says");
}

void World::losePower(std::string_view name) {
  story_.deed(fmt::format("{} loses power", name));
  machine(name).losePower();
}

void World::loseStore() {
  story_.deed("the masters' store is lost for good");
  configStore.lose(lostStore);
}

void World::hang(std::string_view name, simulation::Time duration) {
  story_.deed(fmt::format("the disk of {} hangs", name));
  node(name).disk().hang(engine.now() + duration);
}

void World::cut(std::string_view from, std::string_view to) {
  story_.deed(fmt::format("nothing comes from {} to {} any more", from, to));
  wire.cut(machine(from).host(), machine(to).host());
}

void World::heal(std::string_view from, std::string_view to) {
  story_.deed(fmt::format("what {} sends comes to {} again", from, to));
  wire.heal(machine(from).host(), machine(to).host());
}

void World::cutBothWays(std::string_view a, std::string_view b) {
  story_.deed(fmt::format("the link between {} and {} is cut", a, b));
  wire.cut(machine(a).host(), machine(b).host());
  wire.cut(machine(b).host(), machine(a).host());
}

void World::healBothWays(std::string_view a, std::string_view b) {
  story_.deed(fmt::format("the link between {} and {} works again", a, b));
  wire.heal(machine(a).host(), machine(b).host());
  wire.heal(machine(b).host(), machine(a).host());
}

bool World::registered(std::string_view masterName, std::string_view name) {
  auto* running = master(masterName).master();
  if (running == nullptr) return false;
  for (auto& known: running->nodes()) {
    if (known.member.name == name && known.lastHeard >= 0 && known.acts) return true;
  }
  return false;
}

void World::reset(std::string_view a, std::string_view b) {
  story_.deed(fmt::format("the connections between {} and {} break", a, b));
  wire.reset(machine(a).host(), machine(b).host());
}

}  // namespace gavel::scenarios
