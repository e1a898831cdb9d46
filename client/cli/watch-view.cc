#include "client/cli/watch-view.h"

#include "client/cli/views.h"

namespace gavel::client::cli {
namespace {

using Kind = schema::Version::Kind;

bool extends(schema::Version::Reader version, const Standing& before) {
  return version.getKind() == Kind::BID && before.deadline != 0 &&
         version.getDeadline() > before.deadline;
}

bool outbids(schema::Version::Reader version, const Standing& before) {
  return version.getKind() == Kind::BID && !before.leader.empty() &&
         version.getWho() != before.leader.c_str();
}

}  // namespace

void Standing::take(schema::Version::Reader version) {
  if (version.getKind() == Kind::BID) leader = version.getWho().cStr();
  deadline = version.getDeadline();
}

void Standing::take(schema::AuctionView::Reader auction) {
  auto open = auction.getState().getOpen();
  if (open.getHighest() > 0) leader = open.getHighestBidder().cStr();
  deadline = auction.getDeadline();
}

bool isLast(schema::Version::Reader version) {
  return version.getKind() == Kind::CLOSED || version.getKind() == Kind::CANCELLED;
}

std::string happening(schema::Version::Reader version, const Standing& before) {
  auto who = printable(version.getWho());
  auto amount = std::to_string(version.getAmount());
  switch (version.getKind()) {
    case Kind::CREATED:
      return "created by " + who + "; ends at " + timeOf(version.getDeadline());
    case Kind::BID: {
      auto text = "bid " + amount + " by " + who;
      if (outbids(version, before)) text += ", outbidding " + printable(before.leader.c_str());
      if (extends(version, before)) text += "; now ends at " + timeOf(version.getDeadline());
      return text;
    }
    case Kind::CLOSED:
      return who.empty() ? "over: no sale" : "over: " + who + " wins for " + amount;
    case Kind::CANCELLED:
      return "cancelled by " + who;
  }
  return "changed in a way that this version of gavel does not know";
}

void print(const Printer& print, const std::string& auction, schema::Version::Reader version,
           const Standing& before, bool named) {
  if (print.json) {
    JsonLine line;
    line.text("auction", auction.c_str()).members(version);
    if (outbids(version, before)) line.text("outbid", before.leader.c_str());
    if (extends(version, before)) line.boolean("extended", true);
    print.result(line);
    return;
  }
  auto text = timeOf(version.getStamp()) + "  ";
  if (named) text += "\"" + printable(auction.c_str()) + "\" ";
  text += "#" + std::to_string(version.getVersion()) + "  " + happening(version, before);
  print.result(text.c_str());
}

void printGap(const Printer& print, std::uint64_t position) {
  if (print.json) {
    JsonLine line;
    print.result(line.text("kind", "resynchronised").number("position", position));
    return;
  }
  auto text = "resynchronised: what happened up to position " + std::to_string(position) +
              " is held no more by the chain; `gavel auctions list` shows how things stand";
  print.result(print.painted(Paint::alarm, text).c_str());
}

}  // namespace gavel::client::cli
