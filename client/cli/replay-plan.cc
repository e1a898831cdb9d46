#include "client/cli/replay-plan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "base/closest.h"
#include "client/cli/arguments.h"
#include "client/cli/csv.h"
#include "client/cli/exit-code.h"

namespace gavel::client::cli {
namespace {

enum Column { AUCTION, ITEM, DURATION, AT, BIDDER, AMOUNT, PRICE, OPENING, COLUMNS };

struct ColumnRule {
  const char* name;
  bool required;
};

constexpr ColumnRule RULES[COLUMNS] = {
    {"auction", true}, {"item", false},        {"duration_s", true},   {"at_s", true},
    {"bidder", true},  {"amount_cents", true}, {"price_cents", false}, {"open_cents", false}};

constexpr std::size_t ABSENT = SIZE_MAX;

class PlanReader {
public:
  PlanReader(const std::string& file, std::string_view contents)
      : file(file), reader(file, contents) {
    positions.fill(ABSENT);
  }

  ReplayPlan read() {
    if (!reader.next(fields)) throw UsageError(file + ": line 1, column 1: the file is empty");
    readHeader();
    while (reader.next(fields)) readLine();
    return std::move(plan);
  }

private:
  std::string file;
  CsvReader reader;
  std::vector<CsvField> fields;
  std::array<std::size_t, COLUMNS> positions;
  std::size_t width = 0;
  ReplayPlan plan;
  std::map<std::string, std::size_t> places;

  const CsvField& field(Column column) const { return fields[positions[column]]; }

  // Adds the position to an error about the value.
  template <typename Read>
  auto checked(Column column, Read read) const {
    try {
      return read(field(column).text);
    } catch (const UsageError& e) {
      reader.refuse(field(column), e.what());
    }
  }

  void readHeader() {
    width = fields.size();
    std::vector<std::string> names;
    for (auto& rule: RULES) names.push_back(rule.name);
    for (std::size_t i = 0; i < fields.size(); ++i) {
      auto found = std::find(names.begin(), names.end(), fields[i].text);
      if (found == names.end()) {
        auto near = closest(fields[i].text, names);
        reader.refuse(fields[i], "there is no column \"" + fields[i].text + "\"" +
                                     (near.empty() ? "" : "; did you mean " + near + "?"));
      }
      auto& position = positions[static_cast<std::size_t>(found - names.begin())];
      if (position != ABSENT) {
        reader.refuse(fields[i], "column " + fields[i].text + " is there twice");
      }
      position = i;
    }
    for (std::size_t i = 0; i < COLUMNS; ++i) {
      if (RULES[i].required && positions[i] == ABSENT) {
        reader.refuse(fields[0], "column " + names[i] + " is missing");
      }
    }
  }

  void readLine() {
    if (fields.size() != width) {
      reader.refuse(fields.back(), "the line has " + std::to_string(fields.size()) +
                                       " values, the header " + std::to_string(width));
    }
    auto name = checked(AUCTION, [](auto& text) { return readName("auction", text); });
    auto [place, isNew] = places.try_emplace(name, plan.auctions.size());
    if (isNew) plan.auctions.push_back(readAuction(name));
    ReplayPlan::Bid bid;
    bid.at = seconds(AT);
    bid.bidder = checked(BIDDER, [](auto& text) { return readName("bidder", text); });
    bid.amount = checked(AMOUNT, [](auto& text) { return readAmount("amount_cents", text); });
    plan.auctions[place->second].bids.push_back(std::move(bid));
    ++plan.bids;
  }

  ReplayPlan::Auction readAuction(const std::string& name) {
    ReplayPlan::Auction auction;
    auction.name = name;
    auction.duration = seconds(DURATION);
    if (positions[ITEM] != ABSENT) {
      auction.item = checked(ITEM, [](auto& text) { return readItem("item", text); });
    }
    if (positions[PRICE] != ABSENT && !field(PRICE).text.empty()) {
      auction.price = checked(PRICE, [](auto& text) { return readAmount("price_cents", text); });
    }
    return auction;
  }

  double seconds(Column column) const {
    auto& text = field(column).text;
    double value = 0;
    auto* end = text.data() + text.size();
    auto [rest, error] = std::from_chars(text.data(), end, value);
    // A hundred years.  Longer durations are mistakes, and would not fit everywhere.
    constexpr double LARGEST = 100.0 * 366 * 24 * 3600;
    if (error != std::errc() || rest != end || !std::isfinite(value) || value < 0 ||
        value > LARGEST) {
      reader.refuse(field(column), std::string(RULES[column].name) + ": \"" + text +
                                       "\" is not a number of seconds");
    }
    return value;
  }
};

}  // namespace

ReplayPlan readReplayPlan(const std::string& file, std::string_view contents) {
  return PlanReader(file, contents).read();
}

}  // namespace gavel::client::cli
