#include <CLI/CLI.hpp>

#include "client/cli/arguments.h"
#include "client/cli/context.h"
#include "client/cli/views.h"

namespace gavel::client::cli {
namespace {

constexpr std::uint32_t PAGE = 1000;
constexpr auto LONGEST_DURATION = 10 * 366 * kj::DAYS;

// ---------------------------------------------------------------------------------------------------
// list, show

class Listing {
public:
  Listing(Context& context, const std::string& at)
      : context(context), at(at), table(AUCTION_COLUMNS) {}

  kj::Promise<int> run(std::uint64_t after) {
    return context.client()
        .list(after, PAGE, at.c_str())
        .then([this, after](AuctionPage page) -> kj::Promise<int> {
          if (page.get().hasFailure()) return report(context, page.get().getFailure());
          auto last = after;
          for (auto auction: page.get().getAuctions()) {
            add(auction);
            last = auction.getId();
          }
          if (page.get().getMore() && last > after) return run(last);
          if (!context.print.json) context.print.result(table);
          return DONE;
        });
  }

private:
  Context& context;
  std::string at;
  Table table;

  void add(schema::AuctionView::Reader auction) {
    if (context.print.json) {
      JsonLine line;
      context.print.result(line.object("auction", auction));
    } else {
      table.add(rowOf(auction));
    }
  }
};

void addList(CLI::App& auctions, Command& chosen) {
  auto* list = auctions.add_subcommand("list", "All auctions, oldest first");
  auto at = std::make_shared<std::string>();
  addAt(*list, *at);
  list->callback([at, &chosen]() {
    chosen.prepare = [at]() -> Run {
      return [at](Context& context) {
        auto listing = kj::heap<Listing>(context, *at);
        auto promise = listing->run(0);
        return promise.attach(kj::mv(listing));
      };
    };
  });
}

int showDetails(Context& context, const Answer& answer) {
  if (answer.get().isFailure()) return report(context, answer.get().getFailure());
  if (context.print.json) {
    JsonLine line;
    context.print.result(line.members(answer.get()));
  } else {
    context.print.result(details(answer.get().getAuction()).c_str());
  }
  return DONE;
}

void addShow(CLI::App& auctions, Command& chosen) {
  struct Options {
    std::string name;
    std::string at;
  };
  auto options = std::make_shared<Options>();
  auto* show = auctions.add_subcommand("show", "An auction with its terms (but the reserve)");
  show->add_option("NAME", options->name, "Name of the auction")->required();
  addAt(*show, options->at);
  show->callback([options, &chosen]() {
    chosen.prepare = [options]() -> Run {
      auto auction = readName("NAME", options->name);
      auto at = options->at;
      return [auction, at](Context& context) {
        return context.client().show(auction.c_str(), at.c_str()).then([&context](Answer answer) {
          return showDetails(context, answer);
        });
      };
    };
  });
}

// ---------------------------------------------------------------------------------------------------
// create

struct CreateOptions {
  std::string name;
  std::string item;
  std::string duration = "10m";
  std::string start = "0";
  std::string reserve = "0";
  std::string increment = "1";
  std::string softClose;
  std::string request;
};

Run prepareCreate(const CreateOptions& options) {
  auto name = readName("NAME", options.name);
  auto request = readRequest("--request", options.request);
  auto duration = readDuration("--duration", options.duration);
  if (duration > LONGEST_DURATION) throw UsageError("--duration: is longer than ten years");
  auto terms = std::make_shared<Message<schema::Terms>>(
      Message<schema::Terms>::make([&](schema::Terms::Builder terms) {
        terms.setItem(readItem("--item", options.item).c_str());
        terms.setDuration(duration / kj::NANOSECONDS);
        terms.setStartingPrice(readAmountOrZero("--start", options.start));
        terms.setReserve(readAmountOrZero("--reserve", options.reserve));
        readIncrement("--increment", options.increment, terms.initIncrement());
        if (!options.softClose.empty()) {
          readSoftClose("--soft-close", options.softClose, duration, terms.initSoftClose());
        }
      }));
  return [name, request, terms](Context& context) {
    return context.client()
        .create(name.c_str(), context.identity(), terms->get(), request)
        .then([&context, name](WriteResult result) {
          return report(context, result, name, [&](schema::Outcome::Success::Reader success) {
            auto text = "auction \"" + name + "\" is open, ends in " +
                        span(success.getStamp(), success.getDeadline());
            // Chain time may differ from our clock, and this may be the answer to a retry (R15).
            bool ours = isNow(success.getStamp());
            return ours ? text + " (" + timeOf(success.getDeadline()) + ")" : text;
          });
        });
  };
}

void addCreate(CLI::App& auctions, Command& chosen) {
  auto options = std::make_shared<CreateOptions>();
  auto* create = auctions.add_subcommand("create", "Open an auction");
  create->add_option("NAME", options->name, "Name of the new auction")->required();
  create->add_option("--item", options->item, "What is sold");
  create->add_option("--duration", options->duration, "Until the deadline")->capture_default_str();
  create->add_option("--start", options->start, "Lowest first bid; 0: any")->capture_default_str();
  create->add_option("--reserve", options->reserve, "Below this nothing is sold; stays secret")
      ->capture_default_str();
  create
      ->add_option("--increment", options->increment,
                   "Step to the next bid, in minor units or in percent: 5 or 2.5%")
      ->capture_default_str();
  create
      ->add_option("--soft-close", options->softClose,
                   "WINDOW,EXTENSION,HARD_END: a bid in the last WINDOW extends the auction to "
                   "EXTENSION from then, but not past HARD_END after creation")
      // The value itself has commas.
      ->delimiter('\0');
  create->add_option("--request", options->request,
                     "Ask about, or repeat, the request with this id");
  create->footer(
      "Example: gavel auctions create lamp --item 'Old lamp' --duration 1h "
      "--start 500 --increment 2.5% --soft-close 30s,1m,2h");
  create->callback(
      [options, &chosen]() { chosen.prepare = [options]() { return prepareCreate(*options); }; });
}

// ---------------------------------------------------------------------------------------------------
// close, cancel

using EndCall = kj::Promise<WriteResult> (Client::*)(kj::StringPtr, const Identity&,
                                                     kj::Maybe<RequestId>);

void addEnd(CLI::App& auctions, Command& chosen, const std::string& verb,
            const std::string& description, EndCall call, const std::string& done) {
  struct Options {
    std::string name;
    std::string request;
  };
  auto options = std::make_shared<Options>();
  auto* end = auctions.add_subcommand(verb, description);
  end->add_option("NAME", options->name, "Name of the auction")->required();
  end->add_option("--request", options->request, "Ask about, or repeat, the request with this id");
  end->callback([options, &chosen, call, done]() {
    chosen.oneRequest = true;
    chosen.prepare = [options, call, done]() -> Run {
      auto name = readName("NAME", options->name);
      auto request = readRequest("--request", options->request);
      return [name, request, call, done](Context& context) {
        return (context.client().*call)(name.c_str(), context.identity(), request)
            .then([&context, name, done](WriteResult result) {
              return report(context, result, name, [&](schema::Outcome::Success::Reader success) {
                return "auction \"" + name + "\" " + done + " (version " +
                       std::to_string(success.getVersion()) + ")";
              });
            });
      };
    };
  });
}

}  // namespace

void addAuctions(CLI::App& app, Command& chosen) {
  auto* auctions = app.add_subcommand("auctions", "List, show, create and end auctions");
  auctions->require_subcommand(0, 1);
  addList(*auctions, chosen);
  addShow(*auctions, chosen);
  addCreate(*auctions, chosen);
  addEnd(*auctions, chosen, "close", "End your auction now; the highest bid wins", &Client::close,
         "is closed");
  addEnd(*auctions, chosen, "cancel", "End your auction now, without a winner", &Client::cancel,
         "is cancelled");
}

}  // namespace gavel::client::cli
