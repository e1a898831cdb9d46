#include <filesystem>

#include <CLI/CLI.hpp>
#include <kj/debug.h>

#include "client/cli/arguments.h"
#include "client/cli/context.h"
#include "client/cli/local-chain.h"
#include "client/cli/views.h"

namespace gavel::client::cli {
namespace {

// Longer than a restarted chain waits for all its nodes (R11).
constexpr auto FORM_LIMIT = 30 * kj::SECONDS;
constexpr auto HINT_DELAY = 2 * kj::SECONDS;
constexpr std::int64_t MOST_NODES = 64;
constexpr char AUCTION[] = "default";

struct Plan {
  LocalChain::Plan chain;
  kj::Duration duration = 0 * kj::SECONDS;
  std::string item;
};

class Up final: private kj::TaskSet::ErrorHandler {
public:
  Up(Context& context, Plan plan)
      : context(context), plan(kj::mv(plan)), chain(context, this->plan.chain), tasks(*this) {}

  kj::Promise<int> run() {
    auto serving = kj::evalNow([this]() { return start(); }).then([]() {
      return kj::Promise<int>(kj::NEVER_DONE);
    });
    auto stopped = context.stopRequested().then([]() -> int { return DONE; });
    return serving.exclusiveJoin(kj::mv(stopped))
        .catch_([this](kj::Exception&& exception) -> int {
          context.print.error(reasonOf(exception).cStr());
          return INTERNAL_ERROR;
        })
        .then([this](int code) { return stop().then([code]() { return code; }); });
  }

private:
  Context& context;
  Plan plan;
  LocalChain chain;
  bool stopping = false;
  kj::TaskSet tasks;

  kj::Promise<void> start() {
    auto nodes = plan.chain.nodes;
    return chain.start()
        .then([this, nodes]() {
          tasks.add(context.timer().afterDelay(HINT_DELAY).then([this, nodes]() {
            if (stopping || chain.counted() >= nodes) return;
            context.print.note("waiting for the nodes to form a chain; logs in " +
                               chain.directory() + "/logs" + masterSays("; the master: "));
          }));
          return chain.waitForMembers(nodes, context.timer().now() + FORM_LIMIT);
        })
        .then([this, nodes](unsigned serving) {
          if (serving < nodes) {
            context.print.note("only " + std::to_string(serving) + " of " + std::to_string(nodes) +
                               " nodes serve yet" + masterSays(": "));
          }
          return createAuction();
        });
  }

  std::string masterSays(const std::string& beginning) const {
    return chain.notice().empty() ? "" : beginning + chain.notice();
  }

  kj::Promise<void> createAuction() {
    auto terms = Message<schema::Terms>::make([&](schema::Terms::Builder terms) {
      terms.setItem(plan.item.c_str());
      terms.setDuration(plan.duration / kj::NANOSECONDS);
    });
    return chain.client()
        .create(AUCTION, context.identity(), terms.get())
        .then([this](WriteResult created) -> kj::Promise<void> {
          if (!existed(created.outcome())) {
            announce(auctionText(created.outcome()));
            return kj::READY_NOW;
          }
          return chain.client().result(AUCTION).then(
              [this](Answer answer) { announce(auctionText(answer.get())); });
        });
  }

  static bool existed(schema::Outcome::Reader created) {
    using Reason = schema::Outcome::Exception::Reason;
    return created.isException() && created.getException().getReason() == Reason::ALREADY_EXISTS;
  }

  // The text about the new auction.  Empty, after an error, if it was not created.
  std::string auctionText(schema::Outcome::Reader created) {
    if (created.isSuccess()) {
      auto success = created.getSuccess();
      return "auction \"default\" is open, ends in " +
             span(success.getStamp(), success.getDeadline());
    }
    context.print.error("auction \"default\" was not created: " +
                        printable(created.getException().getDetail()));
    return "";
  }

  // The text about an auction that already existed.
  std::string auctionText(schema::Auctioneer::Answer::Reader found) {
    if (found.isFailure()) {
      context.print.error("auction \"default\" is there already, but was not found: " +
                          printable(found.getFailure().getDetail()));
      return "";
    }
    auto auction = found.getAuction();
    auto text = "from before: " + summary(context.print, auction);
    if (auction.getState().isOpen()) return text;
    return text + "\nIt is over.  To make another one: gavel auctions create NAME --duration 10m" +
           at();
  }

  void announce(const std::string& auction) {
    if (context.print.json) {
      announceJson();
    } else {
      announceText(auction);
    }
  }

  // The option with which commands find this chain.
  std::string at() const {
    return plan.chain.port == 7400 ? "" : " -s " + chain.address(0) + "," + chain.address(1);
  }

  void announceText(const std::string& auction) {
    auto& print = context.print;
    Table table({"PROCESS", "ADDRESS", "PID", "LOG"});
    for (unsigned i = 0; i < chain.size(); ++i) {
      auto& child = chain.child(i);
      table.add({child.name, chain.address(i), std::to_string(child.pid), child.logPath});
    }
    print.result(table);
    print.result(("data in " + chain.directory()).c_str());
    if (!auction.empty()) print.result(auction.c_str());
    std::string text = "\nTry, in another terminal:\n";
    for (auto* command:
         {"bid 120 --as alice", "bid 130 --as bob", "result", "history", "chain status"}) {
      text += "  gavel " + std::string(command) + at() + "\n";
    }
    if (plan.chain.tls) {
      text += "First, there, as all speak TLS only:\n  export GAVEL_TLS_CA=" +
              shellQuoted(chain.directory() + "/ca.pem") + "\n";
    }
    text +=
        "To change the chain (gavel chain add, drain, replace) or to copy it, there is\n  export "
        "GAVEL_ADMIN_TOKEN_FILE=" +
        shellQuoted(chain.directory() + "/admin-token") + "\n";
    if (plan.chain.nodes > 1) {
      auto& head = chain.child(1);
      text += "  kill -9 " + std::to_string(head.pid) + "    # the chain goes on without " +
              head.name + "\n";
    }
    print.note(text + "Ctrl-C stops everything; the data stays.");
  }

  void announceJson() {
    std::string processes = "[";
    capnp::JsonCodec codec;
    for (unsigned i = 0; i < chain.size(); ++i) {
      auto& child = chain.child(i);
      auto quoted = [&](const std::string& text) {
        return std::string(codec.encode(capnp::Text::Reader(text.c_str())).cStr());
      };
      processes += (i == 0 ? "{" : ",{");
      processes += "\"name\":" + quoted(child.name) + ",\"address\":" + quoted(chain.address(i)) +
                   ",\"pid\":" + std::to_string(child.pid) + ",\"log\":" + quoted(child.logPath) +
                   "}";
    }
    JsonLine line;
    line.text("directory", chain.directory().c_str());
    line.text("auction", AUCTION);
    context.print.result(line.raw("processes", (processes + "]").c_str()));
  }

  kj::Promise<void> stop() {
    stopping = true;
    return chain.stop();
  }

  void taskFailed(kj::Exception&& exception) override {
    context.print.error(reasonOf(exception).cStr());
  }
};

// The number of nodes of an earlier run in this directory; 0: none.
unsigned nodesIn(const std::string& directory) {
  unsigned count = 0;
  std::error_code error;
  while (!directory.empty() &&
         std::filesystem::is_directory(directory + "/n" + std::to_string(count + 1), error)) {
    ++count;
  }
  return count;
}

struct Options {
  std::string nodes;
  std::string directory;
  std::string port = "7400";
  std::string duration = "10m";
  std::string item = "A demonstration";
  bool tls = false;
};

Run prepareUp(const Options& options) {
  Plan plan;
  auto& nodes = plan.chain.nodes;
  if (options.nodes.empty()) {
    auto before = nodesIn(options.directory);
    if (before > 0) nodes = before;
  } else {
    nodes = static_cast<unsigned>(readNumber("--nodes", options.nodes, 1, MOST_NODES));
  }
  plan.chain.replicas = nodes;
  plan.chain.directory = options.directory;
  plan.chain.protect = true;
  // A directory that was begun with TLS goes on with it.
  plan.chain.tls = options.tls || (!options.directory.empty() &&
                                   std::filesystem::exists(options.directory + "/ca.pem"));
  plan.chain.port = static_cast<unsigned>(
      readNumber("--port", options.port, 1, 65535 - static_cast<std::int64_t>(nodes)));
  plan.duration = readDuration("--duration", options.duration);
  plan.item = readItem("--item", options.item);
  return [plan](Context& context) {
    context.identity();  // A problem with the credential is reported before anything is started.
    auto up = kj::heap<Up>(context, plan);
    auto promise = up->run();
    return promise.attach(kj::mv(up));
  };
}

}  // namespace

void addUp(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<Options>();
  auto* up = app.add_subcommand("up", "Start a master and nodes on this machine, to try things");
  up->add_option("--nodes", options->nodes,
                 "Length of the chain; default: as before in that directory, else 3");
  up->add_option("--dir", options->directory,
                 "Where data and logs go; one that was used before goes on; default: a new one");
  up->add_option("--port", options->port, "Of the master; the nodes have the next ones")
      ->capture_default_str();
  up->add_option("--duration", options->duration, "Of the auction \"default\"")
      ->capture_default_str();
  up->add_flag("--tls", options->tls, "With TLS, by certificates that are made in that directory");
  up->add_option("--item", options->item, "What the auction \"default\" sells");
  up->callback([options, &chosen]() {
    chosen.prepare = [options]() { return prepareUp(*options); };
    chosen.stopsItself = true;
  });
}

}  // namespace gavel::client::cli
