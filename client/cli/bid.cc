#include <CLI/CLI.hpp>

#include "client/cli/arguments.h"
#include "client/cli/context.h"

namespace gavel::client::cli {
namespace {

struct Options {
  std::string amount;
  std::string auction = "default";
  std::string request;
};

Run prepareBid(const Options& options) {
  auto amount = readAmount("AMOUNT", options.amount);
  auto auction = readName("--auction", options.auction);
  auto request = readRequest("--request", options.request);
  return [amount, auction, request](Context& context) {
    BidOrder order{auction.c_str(), context.identity(), amount};
    return context.client()
        .bid(order, request)
        .then([&context, auction, amount](WriteResult result) -> int {
          return report(context, result, std::to_string(amount),
                        [&](schema::Outcome::Success::Reader success) {
                          return std::to_string(amount) + " leads auction \"" + auction +
                                 "\" (version " + std::to_string(success.getVersion()) +
                                 ", ends in " + span(success.getStamp(), success.getDeadline()) +
                                 ")";
                        });
        });
  };
}

}  // namespace

void addBid(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<Options>();
  auto* bid = app.add_subcommand("bid", "Bid an amount in an auction");
  bid->add_option("AMOUNT", options->amount,
                  "Whole number of the auction's minor unit (cents, say)")
      ->required();
  bid->add_option("-a,--auction", options->auction, "Name of the auction")->capture_default_str();
  bid->add_option("--request", options->request,
                  "Ask about, or repeat, the request with this id instead of making a new one");
  bid->footer(
      "Exit code: 0 accepted, 3 too low, 4 certainly not applied, 5 outcome unknown,\n"
      "6 no such auction, over or not permitted.\n"
      "Example: gavel bid 120 -a lamp --as alice");
  bid->callback([options, &chosen]() {
    chosen.prepare = [options]() { return prepareBid(*options); };
    chosen.oneRequest = true;
  });
}

}  // namespace gavel::client::cli
