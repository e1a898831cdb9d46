#include "client/cli/shell-session.h"

#include <sstream>

#include <kj/debug.h>

#include "base/closest.h"
#include "client/cli/arguments.h"
#include "client/cli/views.h"

namespace gavel::client::cli {
namespace {

constexpr std::uint32_t PAGE = 1000;
// When the time left is printed, in seconds.
constexpr std::int64_t REMINDERS[] = {3600, 600, 60, 10};
constexpr std::int64_t SECOND = 1'000'000'000;

const char HELP[] =
    "bid AMOUNT      bid in this auction\n"
    "result          how it stands, or who has won\n"
    "history         every accepted change\n"
    "watch           what happens, until it is over (at a prompt it is shown anyway)\n"
    "use AUCTION     go to another auction\n"
    "help            this\n"
    "quit            leave; bids stay";

}  // namespace

ShellSession::ShellSession(Context& context, std::string auction, Aside aside)
    : context(context), auction(kj::mv(auction)), aside(kj::mv(aside)) {
  patience = kj::heap<Patience>(
      context.timer(), [this](kj::StringPtr) { tell("(the chain does not answer; still trying)"); },
      [this]() { tell("(the chain answers again)"); });
  auto paf = kj::newPromiseAndFulfiller<void>();
  changed = paf.promise.fork();
  change = kj::mv(paf.fulfiller);
}

std::vector<std::string> ShellSession::commands() {
  return {"bid", "result", "history", "watch", "use", "help", "quit"};
}

bool ShellSession::ends(const std::string& line) {
  std::istringstream words(line);
  std::string word;
  words >> word;
  return word == "quit" || word == "exit";
}

std::string ShellSession::prompt() const {
  return printable(context.self().c_str()) + "@" + printable(auction.c_str()) + "> ";
}

bool ShellSession::own(kj::StringPtr name) const {
  return name == context.self().c_str();
}

void ShellSession::tell(const std::string& line) {
  aside([&]() { context.print.result(line.c_str()); });
}

kj::Promise<int> ShellSession::carryOut(const std::string& line) {
  std::istringstream text(line);
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  if (words.empty() || words[0][0] == '#') return static_cast<int>(DONE);
  auto& command = words[0];
  auto takes = [&](std::size_t count) {
    if (words.size() == count + 1) return;
    throw UsageError(command + ": takes " + (count == 0 ? "nothing" : "one word") + " after it");
  };
  try {
    if (command == "bid") return takes(1), bid(words[1]);
    if (command == "result") return takes(0), result();
    if (command == "history") return takes(0), history();
    if (command == "watch") return takes(0), watchToTheEnd();
    if (command == "use") return takes(1), use(words[1]);
    if (command == "help") return takes(0), tell(HELP), static_cast<int>(DONE);
    auto near = closest(command, commands());
    throw UsageError("unknown command \"" + printable(command.c_str()) + "\"" +
                     (near.empty() ? "; try help" : "; did you mean \"" + near + "\"?"));
  } catch (const UsageError& error) {
    aside([&]() { context.print.error(error.what()); });
    return static_cast<int>(USAGE);
  }
}

kj::Promise<int> ShellSession::bid(const std::string& text) {
  auto amount = readAmount("bid", text);
  BidOrder order{auction.c_str(), context.identity(), amount};
  return context.client().bid(order).then([this, amount](WriteResult result) {
    int code = DONE;
    aside([&]() {
      code = report(context, result, std::to_string(amount),
                    [&](schema::Outcome::Success::Reader success) {
                      return std::to_string(amount) + " leads (version " +
                             std::to_string(success.getVersion()) + ", ends in " +
                             span(success.getStamp(), success.getDeadline()) + ")";
                    });
    });
    sayIfRelinked();
    return code;
  });
}

kj::Promise<int> ShellSession::result() {
  return context.client().result(auction.c_str()).then([this](Answer answer) {
    int code = DONE;
    aside([&]() {
      if (answer.get().isFailure()) {
        code = report(context, answer.get().getFailure());
      } else {
        context.print.result(summary(context.print, answer.get().getAuction()).c_str());
      }
    });
    return code;
  });
}

kj::Promise<int> ShellSession::history() {
  return context.client().history(auction.c_str(), 1, PAGE).then([this](HistoryPage page) {
    int code = DONE;
    aside([&]() {
      if (page.get().hasFailure()) {
        code = report(context, page.get().getFailure());
        return;
      }
      Standing before;
      for (auto version: page.get().getVersions()) {
        print(context.print, auction, version, before, false);
        before.take(version);
      }
      if (page.get().getMore()) {
        context.print.note("there is more: gavel history -a " + shellQuoted(auction));
      }
    });
    return code;
  });
}

kj::Promise<int> ShellSession::use(const std::string& name) {
  auction = readName("use", name);
  standing = {};
  watch = nullptr;
  counting = nullptr;
  change->fulfill();
  auto paf = kj::newPromiseAndFulfiller<void>();
  changed = paf.promise.fork();
  change = kj::mv(paf.fulfiller);
  return static_cast<int>(DONE);
}

kj::Promise<int> ShellSession::watchToTheEnd() {
  struct Watching {
    AuctionWatch watch;
    Standing standing;
  };
  auto watching = kj::heap<Watching>(
      Watching{AuctionWatch(context.client(), *patience, context.random, auction.c_str(), 1), {}});
  auto& reference = *watching;
  struct Loop {
    static kj::Promise<int> run(ShellSession& self, Watching& watching) {
      return watching.watch.next().then([&self, &watching](HistoryPage page) -> kj::Promise<int> {
        if (page.get().hasFailure()) {
          int code = DONE;
          self.aside([&]() { code = report(self.context, page.get().getFailure()); });
          return code;
        }
        for (auto version: page.get().getVersions()) {
          self.aside([&]() {
            print(self.context.print, self.auction, version, watching.standing, false);
          });
          watching.standing.take(version);
          if (isLast(version)) return static_cast<int>(DONE);
        }
        return run(self, watching);
      });
    }
  };
  return Loop::run(*this, reference).attach(kj::mv(watching));
}

// -- the auction at hand

kj::Promise<void> ShellSession::follow() {
  auto other = changed.addBranch();
  return followThis()
      .then([]() -> kj::Promise<void> { return kj::NEVER_DONE; })
      .exclusiveJoin(kj::mv(other))
      .then([this]() { return follow(); });
}

kj::Promise<void> ShellSession::followThis() {
  return context.client().result(auction.c_str()).then([this](Answer answer) -> kj::Promise<void> {
    if (answer.get().isFailure()) {
      auto failure = answer.get().getFailure();
      KJ_IF_MAYBE (pause, patience->pauseAfter(failure)) {
        return pause->then([this]() { return followThis(); });
      }
      aside([&]() { report(context, failure); });
      return kj::READY_NOW;
    }
    patience->pauseAfter(nullptr);
    sayIfRelinked();
    auto view = answer.get().getAuction();
    tell(summary(context.print, view));
    auto state = view.getState();
    if (!state.isOpen()) {
      if (state.isSold() && own(state.getSold().getWinner())) tell("You have won it.");
      return kj::READY_NOW;
    }
    standing.take(view);
    watch = kj::heap<AuctionWatch>(context.client(), *patience, context.random, auction.c_str(),
                                   view.getVersion() + 1);
    expectEndIn(view.getDeadline() - view.getNow());
    return followOn();
  });
}

kj::Promise<void> ShellSession::followOn() {
  return KJ_ASSERT_NONNULL(watch)->next().then([this](HistoryPage page) -> kj::Promise<void> {
    sayIfRelinked();
    if (page.get().hasFailure()) {
      aside([&]() { report(context, page.get().getFailure()); });
      return kj::READY_NOW;
    }
    for (auto version: page.get().getVersions()) {
      happened(version);
      expectEndIn(version.getDeadline() - version.getStamp());
      if (isLast(version)) {
        counting = nullptr;
        return kj::READY_NOW;
      }
    }
    return followOn();
  });
}

void ShellSession::expectEndIn(std::int64_t left) {
  counting = countDown(left).eagerlyEvaluate(nullptr);
}

// Prints how much time is left at each of REMINDERS.  Never ends.
kj::Promise<void> ShellSession::countDown(std::int64_t left) {
  for (auto seconds: REMINDERS) {
    auto wait = left - seconds * SECOND;
    if (wait <= 0) continue;
    return context.timer().afterDelay(wait * kj::NANOSECONDS).then([this, seconds]() {
      tell(span(0, seconds * SECOND) + " left");
      return countDown(seconds * SECOND);
    });
  }
  return kj::NEVER_DONE;
}

void ShellSession::happened(schema::Version::Reader version) {
  using Kind = schema::Version::Kind;
  bool wasLeading = own(standing.leader.c_str());
  bool mine = version.getKind() == Kind::BID && own(version.getWho());
  // The outcome of one's own bid is printed by bid().
  if (!mine) tell(happening(version, wasLeading ? Standing{"", standing.deadline} : standing));
  if (version.getKind() == Kind::BID && wasLeading && !mine) {
    tell(context.print.painted(Paint::alarm, "You are outbid.") + " The highest bid is " +
         std::to_string(version.getAmount()) + ".");
  }
  if (version.getKind() == Kind::CLOSED && own(version.getWho())) {
    tell(context.print.painted(Paint::good, "You have won it."));
  }
  standing.take(version);
}

void ShellSession::sayIfRelinked() {
  auto now = context.client().locator().epoch();
  if (epoch != 0 && now > epoch) {
    KJ_IF_MAYBE (configuration, context.client().locator().configuration()) {
      tell("(the chain is now " + chainOf(*configuration) + ")");
    }
  }
  epoch = std::max(epoch, now);
}

}  // namespace gavel::client::cli
