#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <kj/debug.h>
#include <kj/io.h>

#include "client/cli/arguments.h"
#include "client/cli/child.h"
#include "client/cli/context.h"
#include "client/cli/survey.h"
#include "client/cli/views.h"

namespace gavel::client::cli {
namespace {

constexpr auto START_LIMIT = 15 * kj::SECONDS;
// Longer than a restarted chain waits for all its nodes (R11).
constexpr auto FORM_LIMIT = 30 * kj::SECONDS;
constexpr auto HINT_DELAY = 2 * kj::SECONDS;
constexpr auto LOOK_AGAIN = 30 * kj::MILLISECONDS;
constexpr auto STOP_LIMIT = 3 * kj::SECONDS;
constexpr std::int64_t MOST_NODES = 64;
constexpr char HOST[] = "127.0.0.1";
constexpr char AUCTION[] = "default";

struct Plan {
  unsigned nodes = 3;
  unsigned port = 7400;
  std::string master;  // Executables.
  std::string node;
  std::string directory;
  kj::Duration duration = 0 * kj::SECONDS;
  std::string item;

  std::string address(unsigned place) const {
    return std::string(HOST) + ":" + std::to_string(port + place);
  }
};

// Throws EnvironmentError if somebody listens there.  Better here than in a child's log.
void checkFree(const std::string& what, unsigned port) {
  kj::AutoCloseFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  struct sockaddr_in address {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, HOST, &address.sin_addr);
  if (bind(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof(address)) == 0) return;
  throw EnvironmentError("port " + std::to_string(port) + " for " + what +
                         " cannot be used: " + strerror(errno) + "; choose others with --port");
}

std::string executable(const std::string& name) {
  std::error_code error;
  auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  auto path = self.parent_path() / name;
  if (error || access(path.c_str(), X_OK) != 0) {
    throw EnvironmentError(path.string() + " is missing: it belongs next to gavel");
  }
  return path;
}

std::string makeDirectory(const std::string& wanted) {
  std::string directory = wanted;
  if (directory.empty()) {
    auto* base = std::getenv("TMPDIR");
    directory = std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/gavel-XXXXXX";
    if (mkdtemp(directory.data()) == nullptr) {
      throw EnvironmentError("cannot make directory " + directory + ": " + strerror(errno));
    }
  }
  std::error_code error;
  std::filesystem::create_directories(directory + "/logs", error);
  if (error) {
    throw EnvironmentError("cannot make directory " + directory + "/logs: " + error.message());
  }
  return std::filesystem::absolute(directory);
}

class Up final: private kj::TaskSet::ErrorHandler {
public:
  Up(Context& context, Plan plan): context(context), plan(kj::mv(plan)), tasks(*this) {}

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
  kj::Own<Client> client;
  kj::Vector<kj::Own<Child>> children;  // The master, then the nodes.
  bool stopping = false;
  // As last seen: how many of the nodes serve, and what the master waits for.
  unsigned serving = 0;
  std::string notice;
  kj::TaskSet tasks;

  kj::Promise<void> start() {
    std::vector<std::string> addresses;
    for (unsigned i = 0; i <= plan.nodes; ++i) addresses.push_back(plan.address(i));
    client = context.clientFor(addresses);

    auto& master =
        add("master", {plan.master, "--listen", plan.address(0), "--data",
                       plan.directory + "/master", "--replicas", std::to_string(plan.nodes)});
    return master.ready()
        .then([this]() {
          kj::Vector<kj::Promise<void>> all;
          for (unsigned i = 1; i <= plan.nodes; ++i) {
            auto name = "n" + std::to_string(i);
            all.add(add(name, {plan.node, "--name", name, "--listen", plan.address(i), "--master",
                               plan.address(0), "--data", plan.directory + "/" + name})
                        .ready());
          }
          return context.timer().timeoutAfter(START_LIMIT, kj::joinPromises(all.releaseAsArray()));
        })
        .then([this]() {
          tasks.add(context.timer().afterDelay(HINT_DELAY).then([this]() {
            if (stopping || serving >= plan.nodes) return;
            context.print.note("waiting for the nodes to form a chain; logs in " + plan.directory +
                               "/logs" + (notice.empty() ? "" : "; the master: " + notice));
          }));
          return waitForChain(context.timer().now() + FORM_LIMIT);
        })
        .then([this]() { return createAuction(); });
  }

  Child& add(const std::string& name, std::vector<std::string> arguments) {
    auto& child = *children.add(kj::heap<Child>(context.io, name, std::move(arguments),
                                                plan.directory + "/logs/" + name + ".log"));
    tasks.add(child.ended().then([this, &child](std::string how) {
      if (stopping) return;
      context.print.note(child.name + " (pid " + std::to_string(child.pid) + ") " + how +
                         "; its log: " + child.logPath);
    }));
    return child;
  }

  // Until all nodes serve, or there was time enough.
  kj::Promise<void> waitForChain(kj::TimePoint limit) {
    return lookAtChain().then([this, limit]() -> kj::Promise<void> {
      if (serving >= plan.nodes) return kj::READY_NOW;
      if (context.timer().now() >= limit) {
        context.print.note("only " + std::to_string(serving) + " of " + std::to_string(plan.nodes) +
                           " nodes serve yet" + (notice.empty() ? "" : ": " + notice));
        return kj::READY_NOW;
      }
      return context.timer().afterDelay(LOOK_AGAIN).then([this, limit]() {
        return waitForChain(limit);
      });
    });
  }

  // Counts processes of this run.  In a directory that was used before, the last configuration
  // still names those of the run before, as serving, until the master has stored another one.
  kj::Promise<void> lookAtChain() {
    return survey(client->locator(), context.timer()).then([this](kj::Own<Survey> survey) {
      serving = 0;
      notice = printable(survey->nodes.get().getNotice());
      if (!survey->master) return;
      for (auto node: survey->nodes.get().getNodes()) {
        KJ_IF_MAYBE (member, survey->memberOf(node.getStatus())) {
          bool serves = member->getState() == schema::Member::State::SERVING;
          if (serves && node.getConnected()) ++serving;
        }
      }
    });
  }

  kj::Promise<void> createAuction() {
    auto terms = Message<schema::Terms>::make([&](schema::Terms::Builder terms) {
      terms.setItem(plan.item.c_str());
      terms.setDuration(plan.duration / kj::NANOSECONDS);
    });
    return client->create(AUCTION, context.identity(), terms.get())
        .then([this](WriteResult created) -> kj::Promise<void> {
          if (!existed(created.outcome())) {
            announce(auctionText(created.outcome()));
            return kj::READY_NOW;
          }
          return client->result(AUCTION).then(
              [this](Answer answer) { announce(auctionText(answer.get())); });
        });
  }

  static bool existed(schema::Outcome::Reader created) {
    using Reason = schema::Outcome::Exception::Reason;
    return created.isException() && created.getException().getReason() == Reason::ALREADY_EXISTS;
  }

  // What there is to say of the auction that was made; empty, after an error, if it was not.
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

  // The same of one that was there before.
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

  // The option for commands that are to find this chain.
  std::string at() const {
    return plan.port == 7400 ? "" : " -s " + plan.address(0) + "," + plan.address(1);
  }

  void announceText(const std::string& auction) {
    auto& print = context.print;
    Table table({"PROCESS", "ADDRESS", "PID", "LOG"});
    for (auto i: kj::indices(children)) {
      auto& child = *children[i];
      table.add({child.name, plan.address(static_cast<unsigned>(i)), std::to_string(child.pid),
                 child.logPath});
    }
    print.result(table);
    print.result(("data in " + plan.directory).c_str());
    if (!auction.empty()) print.result(auction.c_str());
    auto* head = children.size() > 1 ? children[1].get() : nullptr;
    std::string text = "\nTry, in another terminal:\n";
    for (auto* command:
         {"bid 120 --as alice", "bid 130 --as bob", "result", "history", "chain status"}) {
      text += "  gavel " + std::string(command) + at() + "\n";
    }
    if (head != nullptr && plan.nodes > 1) {
      text += "  kill -9 " + std::to_string(head->pid) + "    # the chain goes on without " +
              head->name + "\n";
    }
    print.note(text + "Ctrl-C stops everything; the data stays.");
  }

  void announceJson() {
    std::string processes = "[";
    capnp::JsonCodec codec;
    for (auto i: kj::indices(children)) {
      auto& child = *children[i];
      auto quoted = [&](const std::string& text) {
        return std::string(codec.encode(capnp::Text::Reader(text.c_str())).cStr());
      };
      processes += (i == 0 ? "{" : ",{");
      processes += "\"name\":" + quoted(child.name) +
                   ",\"address\":" + quoted(plan.address(static_cast<unsigned>(i))) +
                   ",\"pid\":" + std::to_string(child.pid) + ",\"log\":" + quoted(child.logPath) +
                   "}";
    }
    JsonLine line;
    line.text("directory", plan.directory.c_str());
    line.text("auction", AUCTION);
    context.print.result(line.raw("processes", (processes + "]").c_str()));
  }

  kj::Promise<void> stop() {
    stopping = true;
    client = nullptr;
    kj::Vector<kj::Promise<void>> all;
    for (auto& child: children) {
      child->signal(SIGTERM);
      child->signal(SIGCONT);  // A paused one could not obey.
      all.add(child->ended().ignoreResult());
    }
    auto late = context.timer().afterDelay(STOP_LIMIT).then([this]() {
      for (auto& child: children) child->signal(SIGKILL);
    });
    tasks.add(kj::mv(late));
    return kj::joinPromises(all.releaseAsArray());
  }

  void taskFailed(kj::Exception&& exception) override {
    context.print.error(reasonOf(exception).cStr());
  }
};

// How many nodes there were when this directory was used before; 0: none.
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
};

Run prepareUp(const Options& options) {
  Plan plan;
  if (options.nodes.empty()) {
    auto before = nodesIn(options.directory);
    if (before > 0) plan.nodes = before;
  } else {
    plan.nodes = static_cast<unsigned>(readNumber("--nodes", options.nodes, 1, MOST_NODES));
  }
  plan.port = static_cast<unsigned>(
      readNumber("--port", options.port, 1, 65535 - static_cast<std::int64_t>(plan.nodes)));
  plan.duration = readDuration("--duration", options.duration);
  plan.item = readItem("--item", options.item);
  return [plan, directory = options.directory](Context& context) mutable {
    for (unsigned i = 0; i <= plan.nodes; ++i) {
      checkFree(i == 0 ? "the master" : "node n" + std::to_string(i), plan.port + i);
    }
    plan.master = executable("gavel-master");
    plan.node = executable("gavel-node");
    context.identity();  // A problem with it is better told before anything is started.
    plan.directory = makeDirectory(directory);
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
  up->add_option("--item", options->item, "What the auction \"default\" sells");
  up->callback([options, &chosen]() {
    chosen.prepare = [options]() { return prepareUp(*options); };
    chosen.stopsItself = true;
  });
}

}  // namespace gavel::client::cli
