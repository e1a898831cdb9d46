#include <CLI/CLI.hpp>

#include "client/cli/arguments.h"
#include "client/cli/context.h"
#include "client/cli/terminal-line.h"
#include "client/cli/views.h"

namespace gavel::client::cli {
namespace {

// Above so many times the highest bid, a bidder at a terminal is asked to confirm.
constexpr std::int64_t STARTLING = 5;

struct Options {
  std::string amount;
  std::string auction = "default";
  std::string request;
  bool sure = false;
};

class Bidding {
public:
  Bidding(Context& context, std::int64_t amount, std::string auction, kj::Maybe<RequestId> request)
      : context(context), amount(amount), auction(kj::mv(auction)), request(request) {}

  kj::Promise<int> run() { return bid(); }

  // Asks first if the amount looks like a slip.
  kj::Promise<int> runAsking() {
    return context.client().result(auction.c_str()).then([this](Answer answer) -> kj::Promise<int> {
      // If there is no answer, or no such auction, the bid itself reports it.
      if (answer.get().isFailure()) return bid();
      auto state = answer.get().getAuction().getState();
      if (!state.isOpen() || state.getOpen().getHighest() == 0) return bid();
      auto highest = state.getOpen().getHighest();
      if (amount / STARTLING < highest || amount == highest * STARTLING) return bid();
      auto question = std::to_string(amount) + " is " + std::to_string(amount / highest) +
                      " times the highest bid, " + std::to_string(highest) + ". Bid it? [y/N] ";
      return askOnTerminal(context, question).then([this](std::string typed) -> kj::Promise<int> {
        if (typed == "y" || typed == "Y" || typed == "yes") return bid();
        context.print.error("not confirmed: nothing was bid");
        return static_cast<int>(USAGE);
      });
    });
  }

private:
  Context& context;
  std::int64_t amount;
  std::string auction;
  kj::Maybe<RequestId> request;

  kj::Promise<int> bid() {
    BidOrder order{auction.c_str(), context.identity(), amount};
    return context.client().bid(order, request).then([this](WriteResult result) {
      auto code = report(
          context, result, std::to_string(amount), [&](schema::Outcome::Success::Reader success) {
            return std::to_string(amount) + " leads auction \"" + auction + "\" (version " +
                   std::to_string(success.getVersion()) + ", ends in " +
                   span(success.getStamp(), success.getDeadline()) + ")";
          });
      return showHowItStands(code);
    });
  }

  // Shows how the auction stands now to somebody whose bid was not accepted.
  kj::Promise<int> showHowItStands(int code) {
    bool of = code == BID_FAILED || code == NOT_POSSIBLE;
    if (!of || context.print.json || context.print.quiet) return code;
    return context.client().result(auction.c_str()).then([this, code](Answer answer) {
      if (answer.get().isAuction()) {
        context.print.note(summary(context.print, answer.get().getAuction()));
      }
      return code;
    });
  }
};

Run prepareBid(const Options& options) {
  auto amount = readAmount("AMOUNT", options.amount);
  auto auction = readName("--auction", options.auction);
  auto request = readRequest("--request", options.request);
  bool sure = options.sure || !options.request.empty();
  return [amount, auction, request, sure](Context& context) {
    auto bidding = kj::heap<Bidding>(context, amount, auction, request);
    auto promise = sure || !canAsk() ? bidding->run() : bidding->runAsking();
    return promise.attach(kj::mv(bidding));
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
  bid->add_flag("--yes", options->sure,
                "Do not ask at the terminal about a bid of more than five times the highest");
  bid->footer(
      "Exit code: 0 accepted, 2 not confirmed, 3 too low, 4 certainly not applied,\n"
      "5 outcome unknown, 6 no such auction, over or not permitted.\n"
      "Example: gavel bid 120 -a lamp --as alice");
  bid->callback([options, &chosen]() {
    chosen.prepare = [options]() { return prepareBid(*options); };
    chosen.oneRequest = true;
  });
}

}  // namespace gavel::client::cli
