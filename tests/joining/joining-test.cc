#include <algorithm>

#include <gtest/gtest.h>

#include "tests/joining/world.h"

// Interrupts every step of joining (R9) by every kind of crash.  Prints the results as a table.
namespace gavel::joining {
namespace {

constexpr std::size_t NODES = 3;

// The joiner's work on its way back.
enum class Way {
  log,       // It only lacks newer entries.
  cut,       // It also has entries that the chain does not have.
  snapshot,  // The log does not reach back to its end.
};

enum class Victim {
  joiner,
  joinerLosesPower,
  tail,
  head,
  master,
  tailAndMaster,
  headAndJoiner,
  all
};

const char* name(Way way) {
  switch (way) {
    case Way::log:
      return "log";
    case Way::cut:
      return "cut";
    case Way::snapshot:
      return "snapshot";
  }
  KJ_UNREACHABLE;
}

const char* name(Step step) {
  switch (step) {
    case Step::none:
      break;
    case Step::named:
      return "is named syncing";
    case Step::cutting:
      return "drops what is not shared";
    case Step::snapshotBegun:
      return "drops all for a snapshot";
    case Step::snapshotHalf:
      return "half of the snapshot came";
    case Step::snapshotEnds:
      return "all of the snapshot came";
    case Step::loading:
      return "loads its state";
    case Step::logComes:
      return "the log comes";
    case Step::gated:
      return "is gated";
    case Step::decided:
      return "is decided to serve";
    case Step::serves:
      return "begins to serve";
  }
  KJ_UNREACHABLE;
}

const char* name(Victim victim) {
  switch (victim) {
    case Victim::joiner:
      return "joiner";
    case Victim::joinerLosesPower:
      return "joiner (power)";
    case Victim::tail:
      return "tail";
    case Victim::head:
      return "head";
    case Victim::master:
      return "master";
    case Victim::tailAndMaster:
      return "tail and master";
    case Victim::headAndJoiner:
      return "head and joiner";
    case Victim::all:
      return "all (power)";
  }
  KJ_UNREACHABLE;
}

class Joining: public ::testing::TestWithParam<std::tuple<Way, Step, Victim>> {
protected:
  ~Joining() noexcept override = default;

  // The joiner is down, and the chain goes on without it.
  void lag(World& world, gavel::testing::Workload& load, Way way) {
    auto head = world.find(Role::head);
    // Only a head can have entries that nobody else has.
    joiner = way == Way::cut ? head : (head + 1) % NODES;
    world.kill(joiner, World::Crash::process);
    if (way == Way::cut) leaveUnsent(world);
    auto before = world.store(joiner).load().wait(io.waitScope).end().index;
    world.until("the chain to go on without it", [&]() {
      for (std::size_t i = 0; i < NODES; ++i) {
        if (!world.runs(i) || !isTail(world.replica(i).role())) continue;
        auto since = world.replica(i).commit() > before + 100;
        auto truncated = world.store(i).logStart().index > before;
        return since && (way != Way::snapshot || truncated);
      }
      return false;
    });
  }

  // Acts as if this head had died before it could send its last batch.
  void leaveUnsent(World& world) {
    auto& store = world.store(joiner);
    auto image = store.load().wait(io.waitScope);
    auto end = image.end();
    auction::Stamp late = 4'000'000'000'000'000'000;
    std::vector<auction::Entry> entries{{end.index + 1, late, {}, auction::CloseExpired{}},
                                        {end.index + 2, late + 1, {}, auction::CloseExpired{}}};
    store.append(Batch::make(end.epoch, end, entries));
    store.syncNow();
  }

  void strikeAndRestart(World& world, Victim victim, std::size_t head, std::size_t tail) {
    auto crash = World::Crash::process;
    std::vector<std::size_t> victims;
    bool masterToo = false;
    switch (victim) {
      case Victim::joinerLosesPower:
        crash = World::Crash::power;
        [[fallthrough]];
      case Victim::joiner:
        victims = {joiner};
        break;
      case Victim::tailAndMaster:
        masterToo = true;
        [[fallthrough]];
      case Victim::tail:
        victims = {tail};
        break;
      case Victim::head:
        victims = {head};
        break;
      case Victim::master:
        masterToo = true;
        break;
      case Victim::headAndJoiner:
        victims = {head, joiner};
        break;
      case Victim::all:
        masterToo = true;
        crash = World::Crash::power;
        victims = {tail, joiner, head};
        break;
    }
    if (masterToo) world.killMaster();
    for (auto i: victims) world.kill(i, crash);
    io.provider->getTimer().afterDelay(5 * kj::MILLISECONDS).wait(io.waitScope);
    if (masterToo) world.startMaster();
    for (auto i: victims) world.start(i);
  }

  kj::AsyncIoContext io = kj::setupAsyncIo();
  std::size_t joiner = 0;
};

TEST_P(Joining, HealsAndLosesNothing) {
  auto [way, step, victim] = GetParam();
  World world(io, NODES, way == Way::snapshot);
  gavel::testing::Workload load(io, world, 6, 3);
  load.runUntilSteady(40 * kj::MILLISECONDS);
  lag(world, load, way);

  auto head = world.find(Role::head);
  auto tail = world.find(Role::tail);
  auto before = world.master().current().epoch;
  auto reached = world.whenNext(joiner, step);
  world.start(joiner);
  world.within(kj::mv(reached), "the step");
  strikeAndRestart(world, victim, head, tail);

  auto healed = world.until("the chain to be whole again", [&]() { return world.whole(); });
  auto epochs = world.master().current().epoch - before;
  load.runUntilSteady(60 * kj::MILLISECONDS);
  world.until("enough to happen to prove anything", [&]() { return load.acknowledged() > 200; });
  load.stop();
  load.verify();

  auto last = world.replica(world.find(Role::head)).logEnd().index;
  world.until("all to be applied", [&]() {
    for (std::size_t i = 0; i < NODES; ++i) {
      if (world.replica(i).state().lastIndex() != last || world.replica(i).commit() != last) {
        return false;
      }
    }
    return true;
  });
  auto hash = world.replica(0).state().hash();
  for (std::size_t i = 1; i < NODES; ++i) {
    EXPECT_EQ(world.replica(i).state().hash(), hash) << world.describe();
  }
  printf("JOIN %-9s %-26s %-16s healed in %5.0f ms, %llu epochs, %zu bids, 0 lost\n", name(way),
         name(step), name(victim), (healed / kj::MICROSECONDS) / 1000.0,
         static_cast<unsigned long long>(epochs), load.acknowledged());
}

std::string nameOf(const ::testing::TestParamInfo<Joining::ParamType>& info) {
  auto [way, step, victim] = info.param;
  std::string text = std::string(name(way)) + "_" + name(step) + "_" + name(victim);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return !isalnum(static_cast<unsigned char>(c)); },
      '_');
  return text;
}

const auto ALL_VICTIMS =
    ::testing::Values(Victim::joiner, Victim::joinerLosesPower, Victim::tail, Victim::head,
                      Victim::master, Victim::tailAndMaster, Victim::headAndJoiner, Victim::all);

INSTANTIATE_TEST_SUITE_P(ByTheLog, Joining,
                         ::testing::Combine(::testing::Values(Way::log),
                                            ::testing::Values(Step::named, Step::logComes,
                                                              Step::gated, Step::decided,
                                                              Step::serves),
                                            ALL_VICTIMS),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(WithEntriesToDrop, Joining,
                         ::testing::Combine(::testing::Values(Way::cut),
                                            ::testing::Values(Step::cutting, Step::loading,
                                                              Step::logComes, Step::gated),
                                            ALL_VICTIMS),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(
    ByASnapshot, Joining,
    ::testing::Combine(::testing::Values(Way::snapshot),
                       ::testing::Values(Step::snapshotBegun, Step::snapshotHalf,
                                         Step::snapshotEnds, Step::loading, Step::logComes,
                                         Step::gated, Step::serves),
                       ALL_VICTIMS),
    nameOf);

}  // namespace
}  // namespace gavel::joining
