#include <unistd.h>

#include <CLI/CLI.hpp>
#include <kj/debug.h>
#include <kj/refcount.h>

#include "client/cli/arguments.h"
#include "client/cli/backup-file.h"
#include "client/cli/context.h"

// `gavel chain backup`: takes a snapshot of committed state from a node into a file.
namespace gavel::client::cli {
namespace {

using schema::SnapshotReceiver;
using schema::SnapshotSink;

constexpr auto PROGRESS_EVERY = 200 * kj::MILLISECONDS;

// A snapshot being received.  Shared, as the capabilities that the node holds may outlive the
// command.
//
// Writes on the event loop, which has nothing else to do here: a sender that waits for the disk is
// what is wanted.
class Transfer final: public kj::Refcounted {
public:
  Transfer(kj::Timer& timer, const std::string& directory,
           kj::Own<kj::PromiseFulfiller<void>> failed)
      : file(directory), lastHeard(timer.now()), timer(timer), failed(kj::mv(failed)) {}

  kj::Own<Transfer> addRef() { return kj::addRef(*this); }

  BackupFile file;
  kj::Maybe<Message<schema::SnapshotHeader>> header;
  kj::TimePoint lastHeard;

  // Runs a step of it.  What it throws goes to the node, and ends the command as well.
  template <typename Step>
  kj::Promise<void> step(Step action) {
    lastHeard = timer.now();
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions(action)) {
      failed->reject(kj::cp(*exception));
      return kj::mv(*exception);
    }
    return kj::READY_NOW;
  }

private:
  kj::Timer& timer;
  kj::Own<kj::PromiseFulfiller<void>> failed;
};

class Sink final: public SnapshotSink::Server {
public:
  explicit Sink(kj::Own<Transfer> transfer): transfer(kj::mv(transfer)) {}

  kj::Promise<void> write(WriteContext context) override {
    return transfer->step([&]() { transfer->file.write(context.getParams().getRecords()); });
  }
  kj::Promise<void> finish(FinishContext context) override {
    return transfer->step([&]() { transfer->file.finish(context.getParams().getParts()); });
  }

private:
  kj::Own<Transfer> transfer;
};

class Receiver final: public SnapshotReceiver::Server {
public:
  explicit Receiver(kj::Own<Transfer> transfer): transfer(kj::mv(transfer)) {}

  kj::Promise<void> begin(BeginContext context) override {
    return transfer->step([&]() {
      auto header = context.getParams().getHeader();
      transfer->file.begin(header);
      transfer->header = Message<schema::SnapshotHeader>(header);
      context.getResults().setSink(kj::heap<Sink>(transfer->addRef()));
    });
  }

private:
  kj::Own<Transfer> transfer;
};

class Backup {
public:
  Backup(Context& context, const std::string& directory)
      : context(context),
        locator(context.client().locator()),
        started(context.timer().now()),
        showsProgress(isatty(STDERR_FILENO) != 0 && !context.print.quiet) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    ownFailure = kj::mv(paf.promise);
    transfer = kj::refcounted<Transfer>(context.timer(), directory, kj::mv(paf.fulfiller));
  }
  // However the command ends, a file that is not complete goes.
  ~Backup() noexcept(false) { transfer->file.abandon(); }

  // `from`: a member's name; empty for the tail.
  kj::Promise<int> run(const std::string& from) {
    return locator.refresh().then([this, from]() -> kj::Promise<int> {
      if (!choose(from)) return static_cast<int>(UNAVAILABLE);
      return locator.peer(address.c_str())
          .then([this](kj::Own<Peer> peer) { return take(kj::mv(peer)); })
          .then([this]() { return end(nullptr); },
                [this](kj::Exception&& exception) { return end(exception); });
    });
  }

private:
  Context& context;
  ChainLocator& locator;
  kj::TimePoint started;
  bool showsProgress;
  std::string name;  // Of the node that it is taken from.
  std::string address;
  kj::Own<Transfer> transfer;
  kj::Promise<void> ownFailure = nullptr;

  bool choose(const std::string& from) {
    KJ_IF_MAYBE (configuration, locator.configuration()) {
      std::string members;
      for (auto member: configuration->getMembers()) {
        if (member.getState() != schema::Member::State::SERVING) continue;
        bool wanted = from.empty() || from == member.getName().cStr();
        members += (members.empty() ? "" : ", ") + printable(member.getName());
        if (!wanted) continue;
        name = printable(member.getName());
        address = member.getAddress().cStr();  // The last one is the tail.
      }
      if (!address.empty()) return true;
      context.print.error("no member named " + printable(from.c_str()) + " serves in the chain; " +
                          "those that do: " + (members.empty() ? "none" : members));
      return false;
    }
    context.print.error(std::string("no chain was found: ") + locator.problems().cStr());
    return false;
  }

  kj::Promise<void> take(kj::Own<Peer> peer) {
    auto request = peer->snapshotSource().snapshotRequest();
    request.setReceiver(kj::heap<Receiver>(transfer->addRef()));
    auto sent = request.send().ignoreResult().attach(kj::mv(peer));
    return sent.exclusiveJoin(kj::mv(ownFailure)).exclusiveJoin(watch());
  }

  // Fails when nothing has come for as long as --timeout: a node that was paused says nothing.
  kj::Promise<void> watch() {
    return context.timer().afterDelay(PROGRESS_EVERY).then([this]() -> kj::Promise<void> {
      if (showsProgress) {
        std::fprintf(stderr, "\r%s from %s ", sizeText().c_str(), name.c_str());
      }
      if (context.timer().now() - transfer->lastHeard > context.settings.timeout) {
        return KJ_EXCEPTION(OVERLOADED, "nothing has come for as long as --timeout");
      }
      return watch();
    });
  }

  int end(kj::Maybe<const kj::Exception&> problem) {
    if (showsProgress) std::fprintf(stderr, "\r\x1b[K");
    // Once it is complete it does not matter whether the node could still say so.
    if (transfer->file.complete()) return report();
    KJ_IF_MAYBE (exception, problem) {
      std::string why = reasonOf(*exception).cStr();
      if (exception->getType() == kj::Exception::Type::UNIMPLEMENTED) {
        why = "it is of an older version, which makes no backups";
      }
      context.print.error("no backup was made from " + name + " at " + address + ": " + why);
      // What is wrong with the file or the data is not cured by trying again.
      return exception->getType() == kj::Exception::Type::FAILED ? INTERNAL_ERROR : UNAVAILABLE;
    }
    context.print.error("no backup was made: " + name + " ended before the snapshot was complete");
    return UNAVAILABLE;
  }

  std::string sizeText() const {
    char text[32];
    std::snprintf(text, sizeof(text), "%.1f MB", static_cast<double>(transfer->file.bytes()) / 1e6);
    return text;
  }

  int report() {
    auto& file = transfer->file;
    auto header = KJ_ASSERT_NONNULL(transfer->header).get();
    auto took = context.timer().now() - started;
    if (context.print.json) {
      JsonLine line;
      line.text("file", file.path().c_str());
      line.text("node", name.c_str());
      line.object("header", header);
      line.number("parts", file.parts());
      line.number("bytes", file.bytes());
      line.number("duration", static_cast<std::uint64_t>(took / kj::NANOSECONDS));
      context.print.result(line);
      return DONE;
    }
    auto position = header.getPosition();
    context.print.result(
        ("backup from " + name + " as of entry " + std::to_string(position.getIndex()) +
         " of epoch " + std::to_string(position.getEpoch()) + ": " + std::to_string(file.parts()) +
         (file.parts() == 1 ? " part, " : " parts, ") + std::to_string(file.bytes()) +
         " bytes in " + span(0, took / kj::NANOSECONDS) + ", " + file.path())
            .c_str());
    return DONE;
  }
};

struct Options {
  std::string directory;
  std::string from;
};

}  // namespace

void addBackup(CLI::App& chain, Command& chosen) {
  auto options = std::make_shared<Options>();
  auto* command = chain.add_subcommand("backup", "Copy the committed state into a directory");
  command->add_option("DIR", options->directory, "Gets a file named snapshot; made if missing")
      ->required();
  command->add_option("--from", options->from, "Name of the member to ask; default: the tail");
  command->footer(
      "Bids go on meanwhile.  A backup that is there is never replaced.  To start a new cluster\n"
      "from it: gavel-node --restore DIR ...");
  command->callback([options, &chosen]() {
    chosen.prepare = [options]() -> Run {
      if (options->directory.empty()) throw UsageError("DIR: must not be empty");
      if (!options->from.empty()) readName("--from", options->from);
      return [options](Context& context) -> kj::Promise<int> {
        kj::Own<Backup> backup;
        KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                       backup = kj::heap<Backup>(context, options->directory);
                     })) {
          throw EnvironmentError(reasonOf(*exception).cStr());
        }
        auto promise = backup->run(options->from);
        return promise.attach(kj::mv(backup));
      };
    };
  });
}

}  // namespace gavel::client::cli
