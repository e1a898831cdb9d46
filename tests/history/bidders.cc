#include "tests/history/bidders.h"

#include <algorithm>
#include <utility>

#include <kj/debug.h>

namespace gavel::history {
namespace {

using Told = Outcome::Kind;

// In percent: what a bidder does.
constexpr unsigned RESULT = 32;
constexpr unsigned CLOSE = RESULT + 2;
constexpr unsigned CANCEL = CLOSE + 1;
constexpr unsigned CREATE_AGAIN = CANCEL + 2;   // A name that is taken, if it was created.
constexpr unsigned NOWHERE = CREATE_AGAIN + 2;  // An auction that nobody creates.
constexpr unsigned IMPOSTURE = NOWHERE + 4;

bool judged(const Outcome& outcome) {
  return outcome.kind != Told::unknown && outcome.kind != Told::notApplied &&
         outcome.kind != Told::notYours;
}

}  // namespace

struct Bidders::Lot {
  std::string name;
  std::size_t owner = 0;
  Terms terms;
  bool createEnded = false;
  bool over = false;
  std::int64_t highest = 0;  // The highest bid in anybody's answers.
};

struct Bidders::Bidder {
  std::size_t index;
  Seat seat;
  RecordingClient self;
  RecordingClient impostor;  // An impostor of this bidder.
  bool registered = false;   // Its name is bound to its credential.

  Bidder(std::size_t index, Seat seat, History& history, RecordingClient::Settings own,
         RecordingClient::Settings others)
      : index(index),
        seat(seat),
        self(seat.client, history, std::move(own), seat.now),
        impostor(seat.client, history, std::move(others), seat.now) {}

  std::uint64_t below(std::uint64_t bound) { return seat.random.next() % bound; }
  bool chance(double probability) {
    return static_cast<double>(seat.random.next() >> 11) * 0x1p-53 < probability;
  }
};

Bidders::Bidders(History& history, std::vector<Seat> seats, Options given)
    : history(history), options(std::move(given)), tasks(*this) {
  KJ_REQUIRE(!seats.empty() && options.hot > 0, seats.size(), options.hot);
  auto nameOf = [&](std::size_t i) {
    return options.prefix + "bidder-" + std::to_string(i % seats.size());
  };
  for (std::size_t i = 0; i < seats.size(); ++i) {
    auto number = static_cast<std::uint32_t>(i);
    bidders.push_back(std::make_unique<Bidder>(
        i, seats[i], history, RecordingClient::Settings{number, nameOf(i), false},
        RecordingClient::Settings{number, nameOf(i + 1), true}));
  }
  hot.assign(options.hot, nullptr);
  nowhere = std::make_unique<Lot>();
  nowhere->name = options.prefix + "nowhere";
}

Bidders::~Bidders() noexcept(false) = default;

void Bidders::start() {
  KJ_REQUIRE(!running, "started already");
  running = true;
  for (auto& bidder: bidders) tasks.add(loop(*bidder));
}

kj::Promise<void> Bidders::stop() {
  running = false;
  return tasks.onEmpty().then([this]() {
    KJ_IF_MAYBE (exception, failure) {
      kj::throwFatalException(kj::cp(*exception));
    }
  });
}

kj::Promise<void> Bidders::loop(Bidder& bidder) {
  return think(bidder).then([this, &bidder]() -> kj::Promise<void> {
    if (!running) return kj::READY_NOW;
    return act(bidder).then([this, &bidder]() { return loop(bidder); });
  });
}

kj::Promise<void> Bidders::think(Bidder& bidder) {
  auto most =
      static_cast<std::uint64_t>(options.thinkAtMost / kj::MICROSECONDS) * bidder.seat.slowness;
  return bidder.seat.timer.afterDelay(bidder.below(most + 1) * kj::MICROSECONDS);
}

kj::Promise<void> Bidders::act(Bidder& bidder) {
  for (auto& place: hot) {
    if (place == nullptr || place->over) {
      place = &newLot(bidder, 4 * options.duration);
      return create(bidder, *place);
    }
  }
  cold.erase(std::remove_if(cold.begin(), cold.end(), [](Lot* lot) { return lot->over; }),
             cold.end());
  if (cold.size() < options.cold) {
    cold.push_back(&newLot(bidder, options.duration));
    return create(bidder, *cold.back());
  }
  auto& lot = choose(bidder);
  auto what = bidder.below(100);
  if (what < RESULT) return ended(bidder, lot, bidder.self, bidder.self.result(lot.name));
  if (what < CANCEL) return endEarly(bidder, lot, what < CLOSE);
  if (what < CREATE_AGAIN) {
    return ended(bidder, lot, bidder.self,
                 bidder.self.create(lot.name, drawTerms(bidder, options.duration)));
  }
  if (what < NOWHERE) return actNowhere(bidder);
  auto amount = drawAmount(bidder, lot);
  if (what < IMPOSTURE && impostorMay(bidder)) {
    return ended(bidder, lot, bidder.impostor, bidder.impostor.bid(lot.name, amount));
  }
  return ended(bidder, lot, bidder.self, bidder.self.bid(lot.name, amount));
}

Bidders::Lot& Bidders::newLot(Bidder& bidder, kj::Duration longest) {
  auto lot = std::make_unique<Lot>();
  lot->name = options.prefix + "lot-" + std::to_string(lots.size());
  lot->owner = bidder.index;
  lot->terms = drawTerms(bidder, longest);
  lots.push_back(std::move(lot));
  return *lots.back();
}

Terms Bidders::drawTerms(Bidder& bidder, kj::Duration longest) {
  auto whole = static_cast<std::uint64_t>(longest / kj::NANOSECONDS);
  auto part = [&](std::uint64_t of) {
    return static_cast<std::int64_t>(whole / of + bidder.below(whole / of + 1));
  };
  Terms terms;
  terms.duration = static_cast<std::int64_t>(whole / 4 + bidder.below(whole * 3 / 4 + 1));
  if (bidder.chance(0.5)) terms.startingPrice = static_cast<std::int64_t>(bidder.below(100));
  if (bidder.chance(0.3)) terms.reserve = static_cast<std::int64_t>(bidder.below(1000));
  terms.percent = bidder.chance(0.3);
  terms.increment = static_cast<std::int64_t>(1 + bidder.below(terms.percent ? 1000 : 10));
  if (bidder.chance(0.25)) {
    terms.window = part(16);
    terms.extension = part(16);
    terms.hardEnd = terms.duration + part(4);
  }
  return terms;
}

// Chooses hot ones half of the time, and now and then one that is over.
Bidders::Lot& Bidders::choose(Bidder& bidder) {
  if (bidder.chance(0.05)) {
    auto recent = std::min<std::size_t>(lots.size(), 4 * (hot.size() + cold.size()));
    return *lots[lots.size() - 1 - bidder.below(recent)];
  }
  if (cold.empty() || bidder.chance(0.5)) return *hot[bidder.below(hot.size())];
  return *cold[bidder.below(cold.size())];
}

// Mostly a little more than the highest; otherwise less, or a little below the increment.
std::int64_t Bidders::drawAmount(Bidder& bidder, const Lot& lot) {
  auto rise = 1 + bidder.below(static_cast<std::uint64_t>(20 + lot.highest / 16));
  if (bidder.chance(0.2)) {
    return std::max<std::int64_t>(1, lot.highest - static_cast<std::int64_t>(rise));
  }
  return lot.highest + static_cast<std::int64_t>(rise);
}

kj::Promise<void> Bidders::create(Bidder& bidder, Lot& lot) {
  auto done = ended(bidder, lot, bidder.self, bidder.self.create(lot.name, lot.terms));
  return done.then([&lot]() { lot.createEnded = true; });
}

// Mostly one of its own.  Otherwise any other, which is refused, also to somebody who knows the
// owner's name only.
kj::Promise<void> Bidders::endEarly(Bidder& bidder, Lot& drawn, bool close) {
  auto* lot = &drawn;
  if (bidder.chance(0.8)) {
    auto own = std::find_if(cold.begin(), cold.end(), [&](auto* other) {
      return other->owner == bidder.index && !other->over;
    });
    if (own != cold.end()) lot = *own;
  }
  bool neighbours = lot->owner == (bidder.index + 1) % bidders.size();
  auto& asker = neighbours && impostorMay(bidder) ? bidder.impostor : bidder.self;
  return ended(bidder, *lot, asker, close ? asker.close(lot->name) : asker.cancel(lot->name));
}

kj::Promise<void> Bidders::actNowhere(Bidder& bidder) {
  auto& lot = *nowhere;
  auto& self = bidder.self;
  return ended(bidder, lot, self,
               bidder.chance(0.5) ? self.bid(lot.name, 100) : self.result(lot.name));
}

// Impostors come after those who registered the name.
bool Bidders::impostorMay(const Bidder& bidder) const {
  return bidders.size() > 1 && bidders[(bidder.index + 1) % bidders.size()]->registered;
}

kj::Promise<void> Bidders::ended(Bidder& bidder, Lot& lot, RecordingClient& asker,
                                 kj::Promise<History::Id> call) {
  ++counts_.operations;
  return call.then([this, &bidder, &lot, &asker](History::Id id) {
    auto& operation = history.operations()[id];
    if (operation.outcome.kind == Told::unknown && operation.kind != Kind::result) {
      ++counts_.unknown;
    }
    return settle(bidder, lot, asker, id);
  });
}

// Sometimes asks again for an unknown outcome.
kj::Promise<void> Bidders::settle(Bidder& bidder, Lot& lot, RecordingClient& asker,
                                  History::Id id) {
  if (asker.mayAskAgain(id) && bidder.chance(options.askAgain)) {
    return think(bidder)
        .then([&asker, id]() { return asker.askAgain(id); })
        .then([this, &bidder, &lot, &asker](History::Id id) {
          return settle(bidder, lot, asker, id);
        });
  }
  auto& operation = history.operations()[id];
  count(operation);
  learn(operation, lot);
  bool names = operation.kind == Kind::bid || operation.kind == Kind::create;
  if (&asker == &bidder.self && names && judged(operation.outcome)) bidder.registered = true;
  return kj::READY_NOW;
}

void Bidders::count(const Operation& operation) {
  bool read = operation.kind == Kind::result;
  switch (operation.outcome.kind) {
    case Told::unknown:
      if (read) ++counts_.notApplied;
      return;
    case Told::notApplied:
      ++counts_.notApplied;
      return;
    case Told::success:
      ++counts_.successes;
      return;
    default:
      ++(read ? counts_.reads : counts_.fails);
  }
}

// From now on, all bidders know this of the auction.
void Bidders::learn(const Operation& operation, Lot& lot) {
  auto& outcome = operation.outcome;
  bool ends = operation.kind == Kind::close || operation.kind == Kind::cancel;
  switch (outcome.kind) {
    case Told::success:
      if (operation.kind == Kind::bid) lot.highest = std::max(lot.highest, operation.amount);
      if (ends) lot.over = true;
      return;
    case Told::tooLow:
    case Told::open:
      lot.highest = std::max(lot.highest, outcome.amount);
      return;
    case Told::closed:
    case Told::sold:
    case Told::noSale:
    case Told::cancelled:
      lot.over = true;
      return;
    case Told::noSuchAuction:
      if (lot.createEnded) lot.over = true;  // It was not created.
      return;
    default:
      return;
  }
}

kj::Promise<void> Bidders::readFinals() {
  KJ_REQUIRE(!running && tasks.isEmpty(), "bidders are at it still");
  return readFinal(0);
}

kj::Promise<void> Bidders::readFinal(std::size_t i) {
  auto& reader = bidders[0]->self;
  if (i == lots.size()) return reader.readFinal(nowhere->name);
  return reader.readFinal(lots[i]->name).then([this, i]() { return readFinal(i + 1); });
}

void Bidders::taskFailed(kj::Exception&& exception) {
  if (failure == nullptr) failure = kj::mv(exception);
}

}  // namespace gavel::history
