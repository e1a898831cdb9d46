#include "client/cli/views.h"

namespace gavel::client::cli {

const std::vector<std::string> AUCTION_COLUMNS = {"NAME", "STATE", "PRICE", "BIDDER",
                                                  "BIDS", "OWNER", "ENDS"};

namespace {

std::string number(std::int64_t value) {
  return std::to_string(value);
}

std::string plural(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string endOf(schema::AuctionView::Reader auction) {
  auto state = auction.getState();
  if (!state.isOpen()) return "over";
  if (state.getOpen().getDue() || auction.getDeadline() <= auction.getNow()) return "closing now";
  return "in " + span(auction.getNow(), auction.getDeadline());
}

}  // namespace

std::string stateOf(schema::AuctionView::Reader auction) {
  auto state = auction.getState();
  if (state.isOpen()) return "open";
  if (state.isSold()) return "sold";
  if (state.isNoSale()) return "no sale";
  if (state.isCancelled()) return "cancelled";
  return "unknown";
}

std::string kindOf(schema::Version::Kind kind) {
  switch (kind) {
    case schema::Version::Kind::CREATED:
      return "created";
    case schema::Version::Kind::BID:
      return "bid";
    case schema::Version::Kind::CLOSED:
      return "closed";
    case schema::Version::Kind::CANCELLED:
      return "cancelled";
  }
  return "unknown";
}

std::string roleOf(schema::NodeStatus::Role role) {
  using Role = schema::NodeStatus::Role;
  switch (role) {
    case Role::WAITING:
      return "waiting";
    case Role::HEAD:
      return "head";
    case Role::MIDDLE:
      return "middle";
    case Role::TAIL:
      return "tail";
    case Role::SINGLE:
      return "head+tail";
    case Role::REFUSING:
      return "refusing";
    case Role::SYNCING:
      return "syncing";
  }
  return "unknown";
}

std::string stateOf(schema::Member::State state) {
  return state == schema::Member::State::SERVING ? "serving" : "syncing";
}

std::string chainOf(schema::Configuration::Reader configuration) {
  std::string line;
  for (auto member: configuration.getMembers()) {
    line += (line.empty() ? "" : " > ") + printable(member.getName());
    if (member.getState() == schema::Member::State::SYNCING) line += " (syncing)";
  }
  return line.empty() ? "nobody" : line;
}

std::string summary(schema::Configuration::Reader configuration) {
  auto line = chainOf(configuration) + ", epoch " + std::to_string(configuration.getEpoch());
  auto cause = printable(configuration.getCause());
  return cause.empty() ? line : line + " (" + cause + ")";
}

std::string summary(const Printer& print, schema::AuctionView::Reader auction) {
  std::string line = "auction \"" + printable(auction.getName()) + "\": ";
  auto state = auction.getState();
  auto facts = " (version " + std::to_string(auction.getVersion()) + ", " +
               plural(auction.getBids(), "bid") + ")";
  if (state.isSold()) {
    return line +
           print.painted(Paint::good, "sold to " + printable(state.getSold().getWinner()) +
                                          " for " + number(state.getSold().getPrice())) +
           facts;
  }
  if (!state.isOpen()) return line + print.painted(Paint::bad, stateOf(auction)) + facts;
  auto open = state.getOpen();
  auto next = open.getDue() ? std::string("no bid is accepted any more")
              : open.getNextValid() == 0
                  ? std::string("no higher bid is possible")
                  : "the next valid amount is " + number(open.getNextValid());
  auto leader = open.getHighest() == 0
                    ? std::string("open, no bid yet")
                    : "open, " +
                          print.painted(Paint::good, number(open.getHighest()) + " by " +
                                                         printable(open.getHighestBidder())) +
                          " leads";
  bool closing = open.getDue() || auction.getDeadline() <= auction.getNow();
  auto end = closing ? "closing now" : "ends " + endOf(auction);
  return line + leader + "; " + next + "; " + end + facts;
}

std::vector<std::string> rowOf(schema::AuctionView::Reader auction) {
  std::string price;
  std::string bidder;
  auto state = auction.getState();
  if (state.isOpen() && state.getOpen().getHighest() != 0) {
    price = number(state.getOpen().getHighest());
    bidder = printable(state.getOpen().getHighestBidder());
  } else if (state.isSold()) {
    price = number(state.getSold().getPrice());
    bidder = printable(state.getSold().getWinner());
  }
  return {printable(auction.getName()),
          stateOf(auction),
          price,
          bidder,
          std::to_string(auction.getBids()),
          printable(auction.getOwner()),
          endOf(auction)};
}

std::string details(schema::AuctionView::Reader auction) {
  std::string text;
  auto line = [&](const std::string& name, const std::string& value) {
    text += (text.empty() ? "" : "\n") + name + std::string(16 - name.size(), ' ') + value;
  };
  auto duration = [](std::int64_t nanoseconds) { return span(0, nanoseconds); };
  auto state = auction.getState();
  auto terms = auction.getTerms();
  line("name", printable(auction.getName()));
  line("item", printable(terms.getItem()));
  line("state", stateOf(auction));
  if (state.isOpen()) {
    auto open = state.getOpen();
    if (open.getHighest() != 0) {
      line("highest bid", number(open.getHighest()) + " by " + printable(open.getHighestBidder()));
    }
    line("next valid", open.getNextValid() == 0 ? "none" : number(open.getNextValid()));
  } else if (state.isSold()) {
    line("price", number(state.getSold().getPrice()));
    line("winner", printable(state.getSold().getWinner()));
  }
  line("bids", std::to_string(auction.getBids()));
  line("owner", printable(auction.getOwner()));
  line("created", timeOf(auction.getCreated()));
  // Future times are shown by the reader's clock, past ones as in the log (R15).
  auto time = [&](std::int64_t stamp) {
    return state.isOpen() ? timeToCome(stamp, auction.getNow()) : timeOf(stamp);
  };
  line("deadline", time(auction.getDeadline()) + " (" + endOf(auction) + ")");
  line("duration", duration(terms.getDuration()));
  line("starting price", terms.getStartingPrice() == 0 ? "none" : number(terms.getStartingPrice()));
  line("increment", incrementOf(terms.getIncrement()));
  if (auto soft = terms.getSoftClose(); soft.getWindow() != 0) {
    line("soft close", "a bid in the last " + duration(soft.getWindow()) +
                           " extends the auction to " + duration(soft.getExtension()) +
                           " from then; hard end " +
                           time(auction.getCreated() + soft.getHardEnd()));
  }
  line("version", std::to_string(auction.getVersion()));
  return text;
}

}  // namespace gavel::client::cli
