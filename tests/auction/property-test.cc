#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/auction/log.h"
#include "tests/auction/model.h"
#include "tests/auction/shelf.h"

// Properties of every log, tried on random ones.  A failure prints the seed of its log.
namespace gavel::auction::test {
namespace {

constexpr std::uint32_t SEEDS = 400;
constexpr int ENTRIES = 250;

// Makes random logs, in which most entries are plausible and all rules apply at some time.
class Generator {
public:
  explicit Generator(std::uint32_t seed): random(seed) {}

  // The next entry for a state and its model.
  Entry next(const State& state, const Model& model) {
    stamp += chance(3) ? 0 : below(40);
    Entry entry{state.lastIndex() + 1, stamp, {}, CloseExpired{}};
    const std::uint64_t dice = below(100);
    if (sessions.empty() || dice < 3) {
      entry.command = OpenSession{};
      sessions.push_back(entry.index);
      return entry;
    }
    if (dice < 7) {
      entry.command = CloseExpired{limit()};
      return entry;
    }
    if (dice < 8) {
      entry.command = Tick{};
      return entry;
    }
    if (dice < 10) {
      entry.command = CloseDue{lot()};
      return entry;
    }
    if (dice < 12) {
      entry.command = ExpireSessions{stamp - static_cast<Stamp>(below(1000)), limit()};
      return entry;
    }
    if (dice < 22 && !requests.empty()) {  // A request id again, mostly as a true retry.
      const Entry& earlier = requests[below(requests.size())];
      entry.request = earlier.request;
      entry.command = chance(4) ? clientCommand(model) : earlier.command;
      return entry;
    }
    entry.request = requestId();
    entry.command = clientCommand(model);
    requests.push_back(entry);
    return entry;
  }

  std::uint64_t below(std::uint64_t bound) { return random() % bound; }
  bool chance(std::uint64_t oneIn) { return below(oneIn) == 0; }

private:
  static constexpr std::array<std::string_view, 5> LOTS{"lamp", "vase", "chair", "table", "clock"};
  static constexpr std::array<std::string_view, 6> PEOPLE{"ann", "bob", "cid", "dan", "eve", "fay"};
  static constexpr std::array<std::string_view, 3> BAD{"", "\xff", "a\nb"};

  std::mt19937_64 random;
  Stamp stamp = 1;
  std::vector<std::uint64_t> sessions;
  std::map<std::uint64_t, std::uint64_t> sequences;  // The last one used, by session.
  std::vector<Entry> requests;

  std::uint32_t limit() {
    constexpr std::array<std::uint32_t, 7> LIMITS{0, 0, 1, 1, 2, MOST_ENDED, MOST_ENDED + 1};
    return LIMITS[below(LIMITS.size())];
  }
  std::string_view lot() { return chance(50) ? BAD[below(3)] : LOTS[below(LOTS.size())]; }
  Identity person() {
    const std::string_view name = chance(50) ? BAD[below(3)] : PEOPLE[below(PEOPLE.size())];
    return chance(10) ? impostor(name) : identity(name);
  }

  RequestId requestId() {
    const std::uint64_t session = chance(50) ? below(200) : sessions[below(sessions.size())];
    std::uint64_t& last = sequences[session];
    RequestId id{session, chance(10) ? below(last + 4) : last + 1, 0};
    last = std::max(last, id.sequence);
    if (chance(3)) id.lowestIncomplete = id.sequence - std::min(id.sequence, below(6));
    if (chance(60)) id.lowestIncomplete = id.sequence + 1;
    return id;
  }

  Command clientCommand(const Model& model) {
    const std::uint64_t dice = below(100);
    if (dice < 12) return create();
    if (dice < 15) return CloseAuction{lot(), owner(model)};
    if (dice < 17) return CancelAuction{lot(), owner(model)};
    return randomBid(model);
  }

  Identity owner(const Model& model) {
    // The owner is preferred, since close and cancel would seldom succeed otherwise.
    if (model.lots.empty() || chance(3)) return person();
    const std::string& name = model.lots[below(model.lots.size())].owner;
    return identity(*std::find(PEOPLE.begin(), PEOPLE.end(), name));
  }

  CreateAuction create() {
    Terms terms;
    terms.item = "something";
    terms.duration = chance(30) ? 0 : 50 + below(1500);
    terms.startingPrice = chance(2) ? 0 : below(100);
    terms.reserve = chance(2) ? 0 : below(500);
    if (chance(2)) {
      terms.increment = {Increment::Kind::percent, static_cast<std::int64_t>(below(3000))};
    } else {
      terms.increment.value = below(30);
    }
    if (chance(2)) {
      const auto part = [&] { return static_cast<Nanoseconds>(1 + below(300)); };
      terms.softClose = {part(), part(), terms.duration + static_cast<Nanoseconds>(below(500))};
      if (terms.softClose.hardEnd == 0) terms.softClose = {};
    }
    return CreateAuction{lot(), person(), terms};
  }

  Bid randomBid(const Model& model) {
    Bid bid{lot(), person(), static_cast<Amount>(below(100))};
    for (const Model::Lot& lot: model.lots) {
      if (lot.name != bid.auction || chance(20)) continue;
      const Amount lowest = lot.lowestAccepted();
      if (lowest < std::numeric_limits<Amount>::max() - 100) {
        bid.amount = lowest - 3 + static_cast<Amount>(below(10));
      }
    }
    if (chance(500)) bid.amount = std::numeric_limits<Amount>::max() - below(1000);
    return bid;
  }
};

// Checks one auction against its history, and both against the model.
void checkAuction(const State& state, const Auction& auction, const Model::Lot& lot) {
  SCOPED_TRACE(auction.name);
  ASSERT_EQ(auction.version(), lot.versions);
  std::vector<std::pair<Amount, std::string>> bids;
  int ends = 0;
  for (std::size_t i = 0; i < auction.history.size(); ++i) {
    const Version& version = auction.history[i];
    EXPECT_EQ(version.kind == Version::Kind::created, i == 0);
    if (i > 0) {
      const Version& previous = auction.history[i - 1];
      EXPECT_GE(version.stamp, previous.stamp);
      EXPECT_GT(version.index, previous.index);
      EXPECT_GE(version.deadline, previous.deadline);
    }
    if (version.kind == Version::Kind::bid) {
      EXPECT_EQ(ends, 0) << "a bid after the end";
      EXPECT_LT(version.stamp, auction.history[i - 1].deadline) << "a bid past the deadline";
      if (!bids.empty()) {
        const __int128 highest = bids.back().first;
        const __int128 rise = version.amount - highest;
        EXPECT_GE(rise, 1);
        if (auction.increment.kind == Increment::Kind::absolute) {
          EXPECT_GE(rise, auction.increment.value);
        } else {
          EXPECT_GE(rise * 10'000, highest * auction.increment.value);
        }
      }
      bids.emplace_back(version.amount, state.bidder(version.bidder).name);
    }
    ends += version.kind == Version::Kind::closed || version.kind == Version::Kind::cancelled;
  }
  EXPECT_EQ(bids, lot.bids);
  EXPECT_EQ(ends, lot.phase == "open" ? 0 : 1);
  EXPECT_EQ(auction.deadline, lot.deadline);
  EXPECT_EQ(auction.hardEnd, lot.hardEnd);
  if (lot.window > 0) {
    EXPECT_LE(auction.deadline, lot.hardEnd);
  }
  EXPECT_EQ(state.bidder(auction.owner).name, lot.owner);
  EXPECT_EQ(auction.nextValid(), lot.phase == "open" ? lot.lowestAccepted() : 0);

  // There is one winner: the highest accepted bid, if the reserve is met.
  EXPECT_EQ(auction.sold(), lot.phase == "closed" && lot.sold());
  if (auction.sold()) {
    const auto highest = *std::max_element(bids.begin(), bids.end());
    EXPECT_EQ(auction.history.back().amount, highest.first);
    EXPECT_EQ(state.bidder(auction.history.back().bidder).name, highest.second);
    EXPECT_EQ(state.bidder(auction.highestBidder).name, highest.second);
  } else if (lot.phase == "closed") {
    EXPECT_EQ(auction.history.back().bidder, 0u);
    EXPECT_EQ(auction.history.back().amount, 0);
  }
}

void checkState(const State& state, const Model& model) {
  ASSERT_EQ(state.auctionCount(), model.lots.size());
  for (const Model::Lot& lot: model.lots) {
    const Auction* auction = state.findAuction(lot.name);
    ASSERT_NE(auction, nullptr);
    EXPECT_EQ(auction->id, lot.id);
    checkAuction(state, *auction, lot);
  }
  ASSERT_EQ(state.bidderCount(), model.names.size());
  for (std::size_t i = 0; i < model.names.size(); ++i) {
    EXPECT_EQ(state.bidder(i + 1).name, model.names[i].first);
    EXPECT_EQ(state.bidder(i + 1).credential, model.names[i].second);
  }
  ASSERT_EQ(state.sessionCount(), model.clients.size());
  for (const auto& [id, client]: model.clients) {
    const Session* session = state.findSession(id);
    ASSERT_NE(session, nullptr);
    EXPECT_EQ(session->lastUsed, client.lastUsed);
    EXPECT_EQ(session->lowestIncomplete, client.lowestIncomplete);
    ASSERT_EQ(session->records.size(), client.records.size());
    for (const auto& [sequence, record]: client.records) {
      const auto found = session->records.find(sequence);
      ASSERT_NE(found, session->records.end());
      EXPECT_EQ(found->second.outcome, record.outcome);
    }
  }
}

// Applies `entry` to both, and checks judgement, outcome and events.
Outcome step(State& state, Model& model, const Entry& entry) {
  const Judgement judgement = state.judge(entry);
  const std::size_t bidders = state.bidderCount();
  std::map<AuctionId, std::uint64_t> versions;
  for (const Model::Lot& lot: model.lots) versions[lot.id] = lot.versions;
  std::vector<Event> events;
  const Outcome outcome = state.apply(entry, &events);
  const Model::Prediction prediction = model.apply(entry);

  EXPECT_EQ(outcome, prediction.outcome);
  EXPECT_EQ(judgement.log, prediction.log);
  Outcome judged = judgement.outcome;
  if (!judgement.log) {
    EXPECT_EQ(judgement.basis, prediction.basis);
    EXPECT_TRUE(events.empty());
    EXPECT_EQ(state.bidderCount(), bidders);
    if (!prediction.retry) {
      EXPECT_EQ(judged.index, 0u);
      judged.index = entry.index;
    }
  }
  EXPECT_EQ(judged, outcome) << "judge() and apply() disagree";
  for (const Event& event: events) {
    EXPECT_EQ(event.version, ++versions[event.auction->id]) << "a gap in the events";
  }
  for (const Model::Lot& lot: model.lots) EXPECT_EQ(versions[lot.id], lot.versions);
  return outcome;
}

TEST(AnyLog, GivesWhatTheModelGivesAndTheSameRecordsEachTime) {
  std::map<Kind, int> outcomes;
  int sold = 0, retries = 0;
  for (std::uint32_t seed = 0; seed < SEEDS; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Generator generator(seed);
    State state;
    Model model;
    std::vector<Entry> log;
    const std::size_t cut = generator.below(ENTRIES);
    Shelf shelf, early;
    for (int i = 0; i < ENTRIES; ++i) {
      if (log.size() == cut) {
        shelf.put(state.capture());
        early = shelf;
      }
      const Entry entry = generator.next(state, model);
      SCOPED_TRACE("entry " + std::to_string(entry.index));
      const Outcome outcome = step(state, model, entry);
      outcomes[outcome.kind] += 1;
      retries += outcome.index != entry.index;
      log.push_back(entry);
      if (HasFailure()) return;
    }
    checkState(state, model);
    for (const Model::Lot& lot: model.lots) sold += state.findAuction(lot.name)->sold();

    shelf.put(state.capture());
    State again;
    for (const Entry& entry: log) again.apply(entry);
    EXPECT_EQ(again.hash(), state.hash()) << "the same log gives another state";
    EXPECT_EQ(Shelf(again.capture()).contents(), shelf.contents());

    State resumed = early.load();
    EXPECT_EQ(resumed.lastIndex(), cut);
    for (std::size_t i = cut; i < log.size(); ++i) resumed.apply(log[i]);
    EXPECT_EQ(resumed.hash(), state.hash()) << "a capture and the rest of the log give another";
    early.put(resumed.capture());
    EXPECT_EQ(early.contents(), shelf.contents());
    if (HasFailure()) return;
  }

  // The logs were worth trying: every event happened, and often.
  for (int kind = 0; kind <= int(Kind::requestForgotten); ++kind) {
    EXPECT_GT(outcomes[Kind(kind)], 100) << "kind " << kind;
  }
  EXPECT_GT(sold, 100);
  EXPECT_GT(retries, 100);
}

// A state with its store.  Captures are stored, and released some time later.  Now and then the
// state ends, and another one goes on from what is stored.
class Node {
public:
  Shelf shelf;
  State state{&shelf};

  void step(Generator& generator, const std::vector<Entry>& log) {
    if (state.capturing()) {
      // Mostly not at once, so that entries are applied in between.
      if (state.continueCapture(generator.below(3))) captured.push_back(state.endCapture());
    } else if (generator.chance(8)) {
      state.beginCapture();
    }
    if (!captured.empty() && generator.chance(4)) {
      shelf.put(captured.front());
      stored.push_back(std::move(captured.front()));
      captured.pop_front();
    }
    if (!stored.empty() && generator.chance(4)) {
      if (generator.chance(4)) state.release(stored.front(), 0, generator.below(3));
      state.release(stored.front());  // Twice does no harm.
      stored.pop_front();
    }
    if (generator.chance(60)) {
      captured.clear();
      stored.clear();
      state = shelf.load();
      for (std::size_t i = state.lastIndex(); i < log.size(); ++i) state.apply(log[i]);
    }
  }

  // Stores and releases everything.
  void finish() {
    if (state.capturing()) {
      while (!state.continueCapture(1)) {
      }
      captured.push_back(state.endCapture());
    }
    captured.push_back(state.capture());
    for (const Changes& changes: captured) shelf.put(changes);
    for (const Changes& changes: stored) state.release(changes);
    for (const Changes& changes: captured) state.release(changes);
  }

private:
  std::deque<Changes> captured, stored;
};

TEST(AnyLog, GivesTheSameWhereverItsStateIsKept) {
  int found = 0;
  for (std::uint32_t seed = 0; seed < SEEDS / 2; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Generator generator(seed), whims(seed + 1'000'000);
    State whole;
    Model model;
    Node node;
    std::vector<Entry> log;
    for (int i = 0; i < ENTRIES; ++i) {
      const Entry entry = generator.next(whole, model);
      SCOPED_TRACE("entry " + std::to_string(entry.index));
      const Judgement expected = whole.judge(entry), judgement = node.state.judge(entry);
      EXPECT_EQ(judgement.outcome, expected.outcome);
      EXPECT_EQ(judgement.log, expected.log);
      EXPECT_EQ(judgement.basis, expected.basis);
      const Outcome outcome = step(whole, model, entry);
      EXPECT_EQ(node.state.apply(entry), outcome);
      log.push_back(entry);
      node.step(whims, log);
      EXPECT_EQ(node.state.hash(), whole.hash());
      EXPECT_EQ(node.state.auctionCount(), whole.auctionCount());
      EXPECT_EQ(node.state.nextDeadline(), whole.nextDeadline());
      if (HasFailure()) return;
    }

    node.finish();
    EXPECT_EQ(node.shelf.load().hash(), whole.hash());
    EXPECT_EQ(node.shelf.contents(), Shelf(whole.capture()).contents());
    EXPECT_TRUE(node.state.capture().records.empty()) << "all of it was captured";
    for (const Model::Lot& lot: model.lots) {
      const Auction* auction = node.state.findAuction(lot.name);
      if (lot.phase == "open") {
        ASSERT_NE(auction, nullptr);
        EXPECT_EQ(auction->released, lot.versions - lot.versions % VERSIONS_TOGETHER);
        EXPECT_EQ(auction->version(), lot.versions);
      } else {
        EXPECT_EQ(auction, nullptr) << "not forgotten";
      }
      EXPECT_EQ(node.shelf.history(lot.id).size(), lot.versions);
    }
    found += node.shelf.found;
    if (HasFailure()) return;
  }
  EXPECT_GT(found, 1000) << "auctions that are over were hardly asked for";
}

}  // namespace
}  // namespace gavel::auction::test
