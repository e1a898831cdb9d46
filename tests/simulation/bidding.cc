#include "tests/simulation/bidding.h"

#include <kj/debug.h>

#include "tests/simulation/inquirer.h"
#include "tests/simulation/resident.h"
#include "tests/simulation/spectator.h"

namespace gavel::simulation {

class Bidding::Program final {
public:
  Program(Bidding& bidding, Process& process) {
    for (auto host: bidding.hosts_) networks.push_back(bidding.wire.network(process, host));
    std::vector<kj::String> seeds;
    for (auto& seed: bidding.settings.seeds) seeds.push_back(kj::str(seed.c_str()));
    auto addresses = kj::arrayPtr(seeds.data(), seeds.size());
    auto now = [&engine = bidding.engine]() { return engine.now() / kj::NANOSECONDS; };
    std::vector<history::Bidders::Seat> seats;
    for (unsigned i = 0; i < bidding.settings.clients; ++i) {
      auto limits = bidding.settings.limits;
      if (i % 2 == 1) limits.readFrom = client::ReadFrom::anyNode;
      clients.push_back(kj::heap<client::Client>(*networks[i % networks.size()], process.timer(),
                                                 process.random(), addresses, limits));
      randoms.push_back(kj::heap<Dice>(bidding.dice.fork()));
      // Some sleep through changes of the chain.
      unsigned slowness = i % 4 == 3 ? 8 : 1;
      seats.push_back({*clients.back(), process.timer(), *randoms.back(), now, slowness});
    }
    bidders = kj::heap<history::Bidders>(bidding.history_, kj::mv(seats), bidding.settings.bidders);
    bidders->start();
    for (unsigned i = 0; i < bidding.settings.inquirers; ++i) {
      Inquirer::Settings settings;
      settings.number = bidding.settings.clients + i;
      settings.nodes = bidding.settings.nodes;
      settings.thinkAtMost = bidding.settings.inquirersThinkAtMost;
      inquirers.push_back(kj::heap<Inquirer>(*clients[i % clients.size()], process.timer(),
                                             bidding.history_, bidding.dice.fork(), settings));
      asking.push_back(inquirers.back()->run().eagerlyEvaluate(nullptr));
    }
    spectator = kj::heap<Spectator>(*clients.back(), process.timer(), process.random(),
                                    bidding.dice.fork());
    for (std::size_t i = 0; i < bidding.settings.nodes.size(); ++i) {
      residents.push_back(kj::heap<Resident>(*clients[i % clients.size()], process.timer(),
                                             bidding.settings.nodes[i], bidding.dice.fork()));
    }
  }
  KJ_DISALLOW_COPY(Program);

  std::vector<kj::Own<kj::Network>> networks;
  std::vector<kj::Own<client::Client>> clients;
  std::vector<kj::Own<Dice>> randoms;
  kj::Own<history::Bidders> bidders;
  std::vector<kj::Own<Inquirer>> inquirers;
  std::vector<kj::Promise<void>> asking;
  kj::Own<Spectator> spectator;
  std::vector<kj::Own<Resident>> residents;
  kj::Promise<void> task = nullptr;
};

Bidding::Bidding(Engine& engine, Wire& wire, Dice dice, Settings bidderSettings)
    : engine(engine), wire(wire), dice(dice), settings(std::move(bidderSettings)) {
  for (unsigned i = 0; i < settings.hosts; ++i) {
    hosts_.push_back(wire.addHost("c" + std::to_string(i + 1)));
  }
}

void Bidding::start() {
  process = &engine.newProcess("bidders", dice.fork(), wallOffset);
  engine.deliver(*process, [this]() {
    auto made = kj::heap<Program>(*this, *process);
    program = made.get();
    process->program = kj::mv(made);
  });
}

void Bidding::stop() {
  phase_ = Phase::stopping;
  engine.deliver(*process, [this]() {
    for (auto& inquirer: program->inquirers) inquirer->stop();
    auto ended = kj::heapArrayBuilder<kj::Promise<void>>(program->asking.size() + 1);
    for (auto& each: program->asking) ended.add(kj::mv(each));
    ended.add(program->bidders->stop());
    program->task =
        kj::joinPromises(ended.finish())
            .then([this]() { phase_ = Phase::stopped; })
            .eagerlyEvaluate([this](kj::Exception&& exception) { fail(kj::mv(exception)); });
  });
}

void Bidding::readFinals() {
  KJ_REQUIRE(phase_ == Phase::stopped);
  phase_ = Phase::reading;
  engine.deliver(*process, [this]() {
    program->task =
        program->bidders->readFinals()
            .then([this]() { return program->spectator->settle(history_.finals()); })
            .then([this]() {
              for (auto& resident: program->residents) resident->compare(history_.finals());
            })
            .then([this]() { phase_ = Phase::done; })
            .eagerlyEvaluate([this](kj::Exception&& exception) { fail(kj::mv(exception)); });
  });
}

void Bidding::fail(kj::Exception&& exception) {
  phase_ = Phase::failed;
  problem_ = exception.getDescription().cStr();
}

const history::Bidders::Counts& Bidding::counts() const {
  return program->bidders->counts();
}

}  // namespace gavel::simulation
