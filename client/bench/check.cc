#include "client/bench/check.h"

#include <algorithm>
#include <tuple>

namespace gavel::client::cli {
namespace {

// Of one auction.  More would not help.
constexpr std::size_t MOST_PROBLEMS = 10;

}  // namespace

void sortForCheck(std::vector<Told>& told) {
  std::sort(told.begin(), told.end(), [](const Told& left, const Told& right) {
    return std::tie(left.auction, left.version, left.amount) <
           std::tie(right.auction, right.version, right.amount);
  });
}

HistoryCheck::HistoryCheck(std::string auction, std::string bidderPrefix, const Told* begin,
                           const Told* end)
    : auction(std::move(auction)), bidderPrefix(std::move(bidderPrefix)), next(begin), end(end) {
  for (; next != end && next->version == 0; ++next) unknown.push_back(next);
}

void HistoryCheck::add(schema::Version::Reader version) {
  auto number = version.getVersion();
  if (number != lastVersion + 1) {
    complain("version " + std::to_string(number) + " comes after " + std::to_string(lastVersion));
  }
  lastVersion = number;
  // A second bid was reported to have an earlier version, or that version is missing.
  while (next != end && next->version < number) {
    complain(describe(*next) + " is not there");
    ++next;
  }
  bool told = next != end && next->version == number;
  if (version.getKind() != schema::Version::Kind::BID) {
    if (told) complain(describe(*next++) + " is not there: that version is no bid");
    return;
  }
  auto amount = version.getAmount();
  if (amount <= lastAmount) {
    complain("version " + std::to_string(number) + " is a bid of " + std::to_string(amount) +
             ", after one of " + std::to_string(lastAmount));
  }
  lastAmount = amount;
  auto what = "a bid of " + std::to_string(amount) + " by " + version.getWho().cStr();
  if (told) {
    if (isOf(*next, version)) {
      ++verified_;
    } else {
      complain(describe(*next) + " is " + what + " there");
    }
    ++next;
    return;
  }
  auto found = std::find_if(unknown.begin(), unknown.end(),
                            [&](const Told* each) { return isOf(*each, version); });
  if (found == unknown.end()) {
    complain("version " + std::to_string(number) + " is " + what +
             ", which nobody was told of, or which is there already");
    return;
  }
  unknown.erase(found);
  ++appeared_;
}

void HistoryCheck::finish() {
  for (; next != end; ++next) complain(describe(*next) + " is not there");
}

bool HistoryCheck::isOf(const Told& told, schema::Version::Reader version) const {
  return told.amount == version.getAmount() &&
         version.getWho() == bidderName(bidderPrefix, told.bidder).c_str();
}

std::string HistoryCheck::describe(const Told& told) const {
  return "the bid of " + std::to_string(told.amount) + " by " +
         bidderName(bidderPrefix, told.bidder) + ", accepted as version " +
         std::to_string(told.version) + ",";
}

void HistoryCheck::complain(const std::string& what) {
  if (problems_.size() < MOST_PROBLEMS) problems_.push_back("auction \"" + auction + "\": " + what);
}

std::string bidderName(const std::string& prefix, std::uint32_t bidder) {
  return prefix + std::to_string(bidder);
}

}  // namespace gavel::client::cli
