#include "client/watch.h"

#include <map>

#include <CLI/CLI.hpp>

#include "client/cli/arguments.h"
#include "client/cli/context.h"
#include "client/cli/views.h"
#include "client/cli/watch-view.h"

namespace gavel::client::cli {
namespace {

// The leaders and deadlines of so many auctions are remembered.  Those of others are looked up
// again.
constexpr std::size_t MOST_AUCTIONS = 100'000;

struct Options {
  std::string auction = "default";
  bool all = false;
  std::string from;
};

kj::Own<Patience> patienceOf(Context& context) {
  return kj::heap<Patience>(
      context.timer(),
      [&context](kj::StringPtr why) {
        context.print.note(std::string("still watching: ") + printable(why));
      },
      [&context]() { context.print.note("the chain answers again; nothing was missed"); });
}

// Watches one auction until it is over.
class WatchOne {
public:
  WatchOne(Context& context, std::string auction, std::uint64_t from)
      : context(context), patience(patienceOf(context)), auction(kj::mv(auction)), from(from) {}

  kj::Promise<int> run() {
    if (from == 0) return fromNow();
    if (from == 1) return follow();
    return context.client().history(auction.c_str(), from - 1, 1).then([this](HistoryPage page) {
      // If this has no answer, the watch itself reports why.
      for (auto version: page.get().getVersions()) standing.take(version);
      return follow();
    });
  }

private:
  Context& context;
  kj::Own<Patience> patience;
  std::string auction;
  std::uint64_t from;
  Standing standing;
  kj::Maybe<kj::Own<AuctionWatch>> watch;

  kj::Promise<int> fromNow() {
    return context.client().result(auction.c_str()).then([this](Answer answer) -> kj::Promise<int> {
      if (answer.get().isFailure()) {
        auto failure = answer.get().getFailure();
        KJ_IF_MAYBE (pause, patience->pauseAfter(failure)) {
          return pause->then([this]() { return fromNow(); });
        }
        return report(context, failure);
      }
      auto view = answer.get().getAuction();
      if (view.getState().isOpen()) {
        context.print.note(summary(context.print, view));
        standing.take(view);
        from = view.getVersion() + 1;
      } else {
        // The last version shows it.
        from = view.getVersion();
      }
      return follow();
    });
  }

  kj::Promise<int> follow() {
    watch =
        kj::heap<AuctionWatch>(context.client(), *patience, context.random, auction.c_str(), from);
    return tellNext();
  }

  kj::Promise<int> tellNext() {
    return KJ_ASSERT_NONNULL(watch)->next().then([this](HistoryPage page) -> kj::Promise<int> {
      if (page.get().hasFailure()) return report(context, page.get().getFailure());
      for (auto version: page.get().getVersions()) {
        print(context.print, auction, version, standing, false);
        standing.take(version);
        if (isLast(version)) return DONE;
      }
      return tellNext();
    });
  }
};

// Watches all auctions until it is interrupted.
class WatchAll {
public:
  WatchAll(Context& context, std::uint64_t after)
      : context(context),
        patience(patienceOf(context)),
        watch(context.client(), *patience, context.random, after) {}

  kj::Promise<int> run() {
    return watch.next().then([this](ChangesPage page) {
      auto own = kj::heap(kj::mv(page));
      auto told = own->get();
      if (told.getGap()) printGap(context.print, told.getPosition());
      return tell(told.getChanges(), 0).attach(kj::mv(own)).then([this]() { return run(); });
    });
  }

private:
  Context& context;
  kj::Own<Patience> patience;
  ChainWatch watch;
  std::map<std::string, Standing> standings;

  kj::Promise<void> tell(capnp::List<schema::Change>::Reader changes, unsigned next) {
    for (; next < changes.size(); ++next) {
      auto change = changes[next];
      auto version = change.getVersion();
      std::string auction = change.getAuction().cStr();
      if (standings.count(auction) == 0 && version.getVersion() > 1) {
        return lookUp(auction, version.getVersion() - 1).then([this, changes, next]() {
          return tell(changes, next);
        });
      }
      auto& standing = standings[auction];
      print(context.print, auction, version, standing, true);
      standing.take(version);
      if (isLast(version)) standings.erase(auction);
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> lookUp(const std::string& auction, std::uint64_t number) {
    if (standings.size() >= MOST_AUCTIONS) standings.clear();
    return context.client()
        .history(auction.c_str(), number, 1)
        .then([this, auction](HistoryPage page) {
          auto& standing = standings[auction];
          for (auto version: page.get().getVersions()) standing.take(version);
        });
  }
};

template <typename Watch, typename... Arguments>
kj::Promise<int> watching(Context& context, Arguments... arguments) {
  auto watch = kj::heap<Watch>(context, arguments...);
  auto promise = watch->run();
  return promise.attach(kj::mv(watch));
}

}  // namespace

void addWatch(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<Options>();
  auto* watch =
      app.add_subcommand("watch", "What happens, as it happens, until an auction is over");
  auto* auction = watch->add_option("-a,--auction", options->auction, "Name of the auction")
                      ->capture_default_str();
  watch->add_flag("--all", options->all, "Watch all auctions, until it is interrupted")
      ->excludes(auction);
  watch->add_option(
      "--from", options->from,
      "First version to tell; with --all, the position of the last line that was seen; "
      "default: what happens from now on");
  watch->callback([options, &chosen]() {
    chosen.prepare = [options]() -> Run {
      if (options->all) {
        auto after = ChainWatch::NOW;
        if (!options->from.empty()) {
          after = static_cast<std::uint64_t>(readNumber("--from", options->from, 0, INT64_MAX));
        }
        return [after](Context& context) { return watching<WatchAll>(context, after); };
      }
      auto auction = readName("--auction", options->auction);
      std::uint64_t from = 0;
      if (!options->from.empty()) {
        from = static_cast<std::uint64_t>(readNumber("--from", options->from, 1, INT64_MAX));
      }
      return
          [auction, from](Context& context) { return watching<WatchOne>(context, auction, from); };
    };
  });
}

}  // namespace gavel::client::cli
