#include "client/cli/replay.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <kj/debug.h>

#include "client/cli/arguments.h"
#include "client/cli/context.h"

namespace gavel::client::cli {
namespace {

constexpr std::uint32_t PAGE = 1000;
constexpr auto PROGRESS_INTERVAL = 200 * kj::MILLISECONDS;
// Added to the duration, so that no auction ends while it is played.
constexpr double SPARE_SECONDS = 24 * 3600;
constexpr std::int64_t MOST_IN_FLIGHT = 10'000;

// Waits for all of `promises`, and runs each to its end as soon as possible.  joinPromises() alone
// would run their last continuations, which free slots, only after all have reached them.
kj::Promise<void> allOf(kj::Vector<kj::Promise<void>> promises) {
  for (auto& promise: promises) promise = promise.eagerlyEvaluate(nullptr);
  return kj::joinPromises(promises.releaseAsArray());
}

kj::Duration ofSeconds(double seconds) {
  return static_cast<std::int64_t>(seconds * 1e9) * kj::NANOSECONDS;
}

}  // namespace

kj::Promise<void> Slots::take() {
  if (free > 0) {
    --free;
    return kj::READY_NOW;
  }
  auto paf = kj::newPromiseAndFulfiller<void>();
  waiting.push_back(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

void Slots::release() {
  if (waiting.empty()) {
    ++free;
    return;
  }
  auto next = kj::mv(waiting.front());
  waiting.pop_front();
  next->fulfill();
}

Replay::Replay(Context& context, ReplayPlan plan, ReplayOptions options)
    : context(context),
      client(context.client()),
      plan(kj::mv(plan)),
      options(kj::mv(options)),
      slots(this->options.inFlight),
      games(this->plan.auctions.size()),
      progress(context.print),
      tasks(*this) {}

kj::Promise<int> Replay::run() {
  if (progress.wanted()) tasks.add(showProgress());
  return createAll()
      .then([this]() -> kj::Promise<void> {
        if (creationFailed != DONE) return kj::READY_NOW;
        started = context.timer().now();
        return playAll();
      })
      .then([this]() -> kj::Promise<void> {
        if (creationFailed != DONE) return kj::READY_NOW;
        elapsed = context.timer().now() - started;
        return options.verify ? verifyAll() : kj::READY_NOW;
      })
      .then([this]() {
        progress.clear();
        return creationFailed == DONE ? summarize() : creationFailed;
      });
}

// ---------------------------------------------------------------------------------------------------
// Creating

kj::Promise<void> Replay::createAll() {
  kj::Vector<kj::Promise<void>> all;
  for (auto i: kj::indices(plan.auctions)) {
    all.add(slots.take().then([this, i]() { return create(i); }));
  }
  return allOf(kj::mv(all));
}

kj::Promise<void> Replay::create(std::size_t place) {
  if (creationFailed != DONE) return kj::READY_NOW;
  auto& auction = plan.auctions[place];
  double last = 0;
  for (auto& bid: auction.bids) last = std::max(last, bid.at);
  double playing = options.speed > 0 ? last / options.speed : 0;
  auto terms = Message<schema::Terms>::make([&](schema::Terms::Builder terms) {
    terms.setItem(auction.item.c_str());
    terms.setDuration(ofSeconds(std::max(auction.duration, playing) + SPARE_SECONDS) /
                      kj::NANOSECONDS);
  });
  return client.create(nameOf(place).c_str(), context.identity(), terms.get())
      .then([this, place](WriteResult result) {
        slots.release();
        if (result.outcome().isSuccess() || creationFailed != DONE) return;
        progress.clear();
        creationFailed = exitCodeOf(result.outcome());
        auto detail = result.outcome().isException()
                          ? printable(result.outcome().getException().getDetail())
                          : std::string();
        bool exists = result.outcome().isException() &&
                      result.outcome().getException().getReason() ==
                          schema::Outcome::Exception::Reason::ALREADY_EXISTS;
        context.print.error(
            "auction \"" + nameOf(place) + "\" was not created: " +
            (exists ? "there is one of that name; play it again with --suffix" : detail));
      });
}

std::string Replay::nameOf(std::size_t place) const {
  return plan.auctions[place].name + options.suffix;
}

// ---------------------------------------------------------------------------------------------------
// Playing

kj::Promise<void> Replay::playAll() {
  kj::Vector<kj::Promise<void>> all;
  for (auto i: kj::indices(plan.auctions)) all.add(play(i, 0));
  return allOf(kj::mv(all));
}

// Each bid leaves when the one before it has its outcome, so the order within an auction is kept.
kj::Promise<void> Replay::play(std::size_t place, std::size_t number) {
  auto& bids = plan.auctions[place].bids;
  if (number == bids.size()) return kj::READY_NOW;
  kj::Promise<void> due = kj::READY_NOW;
  if (options.speed > 0) {
    due = context.timer().atTime(started + ofSeconds(bids[number].at / options.speed));
  }
  return due.then([this]() { return slots.take(); })
      .then([this, place, &bid = bids[number]]() {
        auto name = nameOf(place);
        return client.bid(BidOrder{name.c_str(), context.identity(bid.bidder), bid.amount});
      })
      .then([this, place, number](WriteResult result) {
        slots.release();
        count(place, plan.auctions[place].bids[number], result.outcome());
        return play(place, number + 1);
      });
}

void Replay::count(std::size_t place, const ReplayPlan::Bid& bid, schema::Outcome::Reader outcome) {
  ++totals.sent;
  auto& game = games[place];
  if (outcome.isSuccess()) {
    ++totals.accepted;
    game.highest = std::max(game.highest, bid.amount);
    game.acknowledged.push_back(
        {outcome.getSuccess().getIndex(), outcome.getSuccess().getVersion(), &bid});
  } else if (outcome.isFail()) {
    ++totals.tooLow;
  } else if (exitCodeOf(outcome) == OUTCOME_UNKNOWN) {
    ++totals.unknown;
    ++game.unknown;
  } else if (exitCodeOf(outcome) == UNAVAILABLE) {
    ++totals.unavailable;
  } else {
    ++totals.exceptions;
  }
}

// ---------------------------------------------------------------------------------------------------
// Verifying

kj::Promise<void> Replay::verifyAll() {
  kj::Vector<kj::Promise<void>> all;
  for (auto i: kj::indices(plan.auctions)) {
    all.add(slots.take().then([this, i]() { return readHistory(i, 1); }).then([this, i]() {
      slots.release();
      verify(i);
    }));
  }
  return allOf(kj::mv(all));
}

kj::Promise<void> Replay::readHistory(std::size_t place, std::uint64_t from) {
  auto name = nameOf(place);
  return client.history(name.c_str(), from, PAGE)
      .then([this, place, from](HistoryPage page) -> kj::Promise<void> {
        if (page.get().hasFailure()) {
          complain(place,
                   "its history cannot be read: " + printable(page.get().getFailure().getDetail()));
          return kj::READY_NOW;
        }
        auto next = from;
        for (auto version: page.get().getVersions()) {
          next = version.getVersion() + 1;
          if (version.getKind() != schema::Version::Kind::BID) continue;
          games[place].history.push_back({version.getIndex(), version.getVersion(),
                                          version.getAmount(), version.getWho().cStr()});
        }
        if (page.get().getMore() && next > from) return readHistory(place, next);
        return kj::READY_NOW;
      });
}

void Replay::verify(std::size_t place) {
  auto& game = games[place];
  std::size_t found = 0;
  for (auto& told: game.acknowledged) {
    std::size_t times = 0;
    for (auto& version: game.history) {
      if (version.index == told.index && version.version == told.version &&
          version.amount == told.bid->amount && version.who == told.bid->bidder) {
        ++times;
      }
    }
    if (times != 1) {
      complain(place, "the bid of " + std::to_string(told.bid->amount) + " by " + told.bid->bidder +
                          ", told as version " + std::to_string(told.version) + ", is there " +
                          std::to_string(times) + " times");
    }
    found += times;
  }
  // Only bids of unknown outcome may be there as well.
  if (game.history.size() > found + game.unknown) {
    complain(place, "holds " + std::to_string(game.history.size() - found) +
                        " bids that nobody was told of");
  }
  game.history.clear();
}

void Replay::complain(std::size_t place, const std::string& what) {
  progress.clear();
  ++totals.discrepancies;
  context.print.error("auction \"" + nameOf(place) + "\": " + what);
}

// ---------------------------------------------------------------------------------------------------
// Telling

int Replay::summarize() {
  double seconds = static_cast<double>(elapsed / kj::MICROSECONDS) / 1e6;
  double rate = seconds > 0 ? static_cast<double>(totals.sent) / seconds : 0;
  std::uint64_t priced = 0;
  std::uint64_t equal = 0;
  for (auto i: kj::indices(plan.auctions)) {
    if (!plan.auctions[i].price) continue;
    ++priced;
    equal += games[i].highest == *plan.auctions[i].price ? 1 : 0;
  }
  char secondsText[32];
  char rateText[32];
  std::snprintf(secondsText, sizeof(secondsText), "%.3f", seconds);
  std::snprintf(rateText, sizeof(rateText), "%.0f", rate);
  if (context.print.json) {
    JsonLine line;
    line.number("auctions", plan.auctions.size())
        .number("sent", totals.sent)
        .number("accepted", totals.accepted)
        .number("tooLow", totals.tooLow)
        .number("exceptions", totals.exceptions)
        .number("unavailable", totals.unavailable)
        .number("unknown", totals.unknown)
        .raw("seconds", secondsText)
        .raw("bidsPerSecond", rateText);
    if (priced > 0) line.number("priced", priced).number("priceEqual", equal);
    if (options.verify) line.boolean("verified", totals.discrepancies == 0);
    context.print.result(line);
  } else {
    auto print = [&](const char* name, const std::string& value) {
      context.print.result((name + std::string(14 - std::strlen(name), ' ') + value).c_str());
    };
    print("auctions", std::to_string(plan.auctions.size()));
    print("bids sent", std::to_string(totals.sent));
    print("accepted", std::to_string(totals.accepted));
    print("too low", std::to_string(totals.tooLow));
    print("exceptions", std::to_string(totals.exceptions));
    print("unavailable", std::to_string(totals.unavailable));
    print("unknown", std::to_string(totals.unknown));
    print("seconds", secondsText);
    print("bids/s", rateText);
    if (priced > 0) {
      print("price equal", "in " + std::to_string(equal) + " of " + std::to_string(priced) +
                               " auctions the highest accepted bid is the recorded price");
    }
    if (options.verify && totals.discrepancies == 0) {
      print("verified", "every accepted bid is in its auction's history exactly once");
    }
  }
  if (totals.discrepancies > 0) return INTERNAL_ERROR;
  if (totals.unknown > 0) return OUTCOME_UNKNOWN;
  return totals.unavailable > 0 ? UNAVAILABLE : DONE;
}

kj::Promise<void> Replay::showProgress() {
  return context.timer().afterDelay(PROGRESS_INTERVAL).then([this]() {
    progress.show(std::to_string(totals.sent) + " of " + std::to_string(plan.bids) + " bids");
    return showProgress();
  });
}

void Replay::taskFailed(kj::Exception&& exception) {
  context.print.error(reasonOf(exception).cStr());
}

// ---------------------------------------------------------------------------------------------------

namespace {

struct Options {
  std::string file;
  std::string speed;
  std::string inFlight = "64";
  std::string suffix;
  bool verify = false;
};

std::string contentsOf(const std::string& path) {
  std::error_code error;
  auto refuse = [&](const char* why) -> std::string {
    throw UsageError("FILE: cannot read " + path + ": " + why);
  };
  // A directory can be opened, and would seem empty.
  if (std::filesystem::is_directory(path, error)) return refuse("it is a directory");
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return refuse(std::strerror(errno));
  std::ostringstream contents;
  contents << file.rdbuf();
  if (file.bad()) return refuse(std::strerror(errno));
  return contents.str();
}

Run prepareReplay(const Options& options) {
  ReplayOptions parsed;
  parsed.suffix = options.suffix;
  parsed.verify = options.verify;
  parsed.inFlight =
      static_cast<unsigned>(readNumber("--in-flight", options.inFlight, 1, MOST_IN_FLIGHT));
  if (!options.speed.empty()) {
    auto* end = options.speed.data() + options.speed.size();
    auto [rest, error] = std::from_chars(options.speed.data(), end, parsed.speed);
    if (error != std::errc() || rest != end || !std::isfinite(parsed.speed) ||
        parsed.speed < 1e-6) {
      throw UsageError("--speed: must be a positive number, such as 1 or 1000");
    }
  }
  auto plan = readReplayPlan(options.file, contentsOf(options.file));
  for (auto& auction: plan.auctions) readName("--suffix", auction.name + parsed.suffix);
  return [parsed, plan](Context& context) {
    context.identity();  // A problem with the credential is reported before anything begins.
    auto replay = kj::heap<Replay>(context, plan, parsed);
    auto promise = replay->run();
    return promise.attach(kj::mv(replay));
  };
}

}  // namespace

void addReplay(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<Options>();
  auto* replay = app.add_subcommand("replay", "Play recorded auctions from a CSV file");
  replay->add_option("FILE", options->file, "CSV file, see below")->required();
  replay->add_option("--speed", options->speed,
                     "Keep the recorded times, this many times faster; default: no waiting");
  replay
      ->add_option("--in-flight", options->inFlight,
                   "Most bids under way at once, each in another auction")
      ->capture_default_str();
  replay->add_option("--suffix", options->suffix, "Appended to the names of the auctions");
  replay->add_flag("--verify", options->verify,
                   "Read all histories back and check that each accepted bid is there once");
  replay->footer(
      "The file has a header line with these columns in any order: auction, duration_s, at_s\n"
      "(seconds after the auction opened), bidder, amount_cents; optional: item, price_cents\n"
      "(what the item was sold for, to compare with), open_cents (ignored).  Auctions are\n"
      "created without a starting price and with an increment of 1.  The order of the bids\n"
      "within an auction is kept.  Exit code 0: every bid has an outcome.");
  replay->callback(
      [options, &chosen]() { chosen.prepare = [options]() { return prepareReplay(*options); }; });
}

}  // namespace gavel::client::cli
