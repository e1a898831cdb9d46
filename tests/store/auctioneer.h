#pragma once

#include <deque>
#include <string>
#include <vector>

#include "auction/state.h"
#include "log/batch.h"

namespace gavel {

// Makes a log of auctions that are created, bid on and closed, and knows the expected state.
class Auctioneer {
public:
  // The state of a node: it forgets what a store has taken.
  auction::State state;
  // It has no store, and keeps everything.
  auction::State reference;
  Position end;
  std::uint64_t epoch = 1;
  std::vector<BatchPtr> log;

  // Makes a batch of the next `count` commands, and applies it to both states.
  BatchPtr next(std::size_t count) {
    std::deque<std::string> texts;  // Entries borrow their texts.
    std::vector<auction::Entry> entries;
    for (std::size_t i = 0; i < count; ++i) entries.push_back(entry(texts));
    auto batch = Batch::make(epoch, end, entries);
    batch->forEach([&](const auction::Entry& entry) {
      state.apply(entry);
      reference.apply(entry);
    });
    end = batch->end();
    log.push_back(batch);
    return batch;
  }

  static std::string nameOf(std::uint64_t auction) { return "auction " + std::to_string(auction); }
  std::uint64_t auctionsMade() const { return auctions; }

private:
  static constexpr std::uint64_t PERIOD = 10;  // Entries per auction.

  std::uint64_t index = 0;
  std::uint64_t auctions = 0;
  std::uint64_t sequence = 0;

  auction::Entry entry(std::deque<std::string>& texts) {
    auto text = [&](std::string value) -> std::string_view {
      return texts.emplace_back(std::move(value));
    };
    ++index;
    auto stamp = static_cast<auction::Stamp>(1000 + index);
    if (index == 1) return {index, stamp, {}, auction::OpenSession{}};
    ++sequence;
    auction::RequestId request{1, sequence, sequence};
    auction::Identity owner{"owner", {}};
    auto step = (index - 2) % PERIOD;
    if (step == 0) {
      auction::Terms terms;
      // Some records are large.
      terms.item = auctions % 4 == 0 ? text(std::string(2000, 'x')) : "a lamp";
      terms.duration = 1'000'000'000'000;
      terms.increment.value = 1;
      return {index, stamp, request,
              auction::CreateAuction{text(nameOf(++auctions)), owner, terms}};
    }
    // Every other auction ends.
    if (step == PERIOD - 1 && auctions % 2 == 0) {
      return {index, stamp, request, auction::CloseAuction{text(nameOf(auctions)), owner}};
    }
    return {index, stamp, request,
            auction::Bid{text(nameOf(auctions)),
                         {text("bidder " + std::to_string(index % 7)), {}},
                         static_cast<auction::Amount>(100 * index)}};
  }
};

}  // namespace gavel
