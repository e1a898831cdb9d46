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

// Receives a snapshot.  It is shared, since the capabilities that the node holds may outlive the
// command.
//
// It writes on the event loop, which has nothing else to do here, so that the sender waits for the
// disk.
class Transfer final: public kj::Refcounted {
public:
  Transfer(kj::Timer& timer, const std::string& directory, ChainLocator& locator,
           kj::Own<kj::PromiseFulfiller<void>> failed)
      : file(directory),
        lastHeard(timer.now()),
        timer(timer),
        locator(locator),
        failed(kj::mv(failed)) {}

  kj::Own<Transfer> addRef() { return kj::addRef(*this); }

  BackupFile file;
  kj::Maybe<Message<schema::SnapshotHeader>> header;
  kj::TimePoint lastHeard;

  // A member of an older configuration may lack what was acknowledged in a newer one.
  void requireEpoch(schema::SnapshotHeader::Reader header) const {
    auto epoch = header.getConfigurationEpoch();
    if (!header.getUnconfirmed() || epoch >= locator.epoch()) return;
    kj::throwFatalException(kj::Exception(
        kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
        kj::str("it knows of epoch ", epoch, " only, and there is epoch ", locator.epoch(),
                ": take it from a serving member of that, with --from")));
  }

  // Runs one step.  What it throws is returned to the node and also ends the command.
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
  ChainLocator& locator;
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
      transfer->requireEpoch(header);
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
  Backup(Context& context, const std::string& directory, bool unconfirmed)
      : context(context),
        unconfirmed(unconfirmed),
        locator(context.client().locator()),
        started(context.timer().now()),
        showsProgress(isatty(STDERR_FILENO) != 0 && !context.print.quiet) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    ownFailure = kj::mv(paf.promise);
    transfer = kj::refcounted<Transfer>(context.timer(), directory, locator, kj::mv(paf.fulfiller));
  }
  // However the command ends, an incomplete file is removed.
  ~Backup() noexcept(false) { transfer->file.abandon(); }

  // `from`: a member's name.  Empty: the tail, or, unconfirmed, the last member that can be
  // reached.
  kj::Promise<int> run(const std::string& from) {
    return locator.refresh().then([this, from]() -> kj::Promise<int> {
      if (!choose(from)) return static_cast<int>(UNAVAILABLE);
      return connect()
          .then([this](kj::Own<Peer> peer) { return take(kj::mv(peer)); })
          .then([this]() { return end(nullptr); },
                [this](kj::Exception&& exception) { return end(exception); });
    });
  }

private:
  Context& context;
  const bool unconfirmed;
  ChainLocator& locator;
  kj::TimePoint started;
  bool showsProgress;
  std::string name;  // The node that the backup is taken from.
  std::string address;
  struct Candidate {
    std::string name;
    std::string address;
  };
  std::vector<Candidate> others;  // Members before that node in the chain.
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
        if (!address.empty()) others.push_back({name, address});
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

  // A confirmed backup needs the tail.  An unconfirmed one may come from any member, since each log
  // holds all that was acknowledged.
  kj::Promise<kj::Own<Peer>> connect() {
    auto connected = locator.peer(address.c_str());
    if (!unconfirmed || others.empty()) return connected;
    return connected.catch_([this](kj::Exception&& exception) {
      context.print.note(name + " at " + address +
                         " is not reached: " + reasonOf(exception).cStr());
      name = others.back().name;
      address = others.back().address;
      others.pop_back();
      return connect();
    });
  }

  kj::Promise<void> take(kj::Own<Peer> peer) {
    auto request = peer->snapshotSource().snapshotRequest();
    request.setReceiver(kj::heap<Receiver>(transfer->addRef()));
    request.setUnconfirmed(unconfirmed);
    auto sent = request.send().ignoreResult().attach(kj::mv(peer));
    return sent.exclusiveJoin(kj::mv(ownFailure)).exclusiveJoin(watch());
  }

  // Fails when nothing has come for as long as --timeout.  A paused node sends nothing.
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
    // Once the file is complete, it does not matter whether the node could still answer.
    if (transfer->file.complete()) return report();
    KJ_IF_MAYBE (exception, problem) {
      std::string why = reasonOf(*exception).cStr();
      if (exception->getType() == kj::Exception::Type::UNIMPLEMENTED) {
        why = "it is of an older version, which makes no backups";
      }
      context.print.error("no backup was made from " + name + " at " + address + ": " + why);
      if (exception->getType() == kj::Exception::Type::OVERLOADED && !unconfirmed) {
        context.print.note(
            "If the chain cannot be brought back, --unconfirmed takes a backup that it need not "
            "confirm.");
      }
      // Trying again does not help against errors of the file or the data.
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
         " of epoch " + std::to_string(position.getEpoch()) +
         (header.getUnconfirmed() ? ", unconfirmed: " : ": ") + std::to_string(file.parts()) +
         (file.parts() == 1 ? " part, " : " parts, ") + std::to_string(file.bytes()) +
         " bytes in " + span(0, took / kj::NANOSECONDS) + ", " + file.path())
            .c_str());
    if (header.getUnconfirmed()) explain(header);
    return DONE;
  }

  // Explains what an unconfirmed backup may lack.
  void explain(schema::SnapshotHeader::Reader header) {
    auto epoch = std::to_string(header.getConfigurationEpoch());
    auto last = header.getPosition().getIndex();
    auto committed = header.getCommitted();
    std::string more;
    if (committed < last) {
      more = "  Of its entries, " + std::to_string(last - committed) + ", from " +
             std::to_string(committed + 1) + " on, are perhaps such as nobody was told of.";
    }
    context.print.note(
        "The chain did not confirm it.  It has all that was acknowledged up to epoch " + epoch +
        "; if the master made a later one, what was acknowledged in that is missing." + more);
  }
};

struct Options {
  std::string directory;
  std::string from;
  bool unconfirmed = false;
};

}  // namespace

void addBackup(CLI::App& chain, Command& chosen) {
  auto options = std::make_shared<Options>();
  auto* command = chain.add_subcommand("backup", "Copy the committed state into a directory");
  command->add_option("DIR", options->directory, "Gets a file named snapshot; made if missing")
      ->required();
  command->add_option("--from", options->from, "Name of the member to ask; default: the tail");
  command->add_flag("--unconfirmed", options->unconfirmed,
                    "Do not ask the chain: for one that cannot be brought back");
  command->footer(
      "Bids go on meanwhile.  A backup that is there is never replaced.  To start a new cluster\n"
      "from it: gavel-node --restore DIR ...\n\n"
      "--unconfirmed takes all that the log of one serving member holds, of the newest "
      "configuration\n"
      "that is found: all that was acknowledged is in it, unless the master has made another one\n"
      "since, and perhaps bids that nobody was told of.");
  command->callback([options, &chosen]() {
    chosen.prepare = [options]() -> Run {
      if (options->directory.empty()) throw UsageError("DIR: must not be empty");
      if (!options->from.empty()) readName("--from", options->from);
      return [options](Context& context) -> kj::Promise<int> {
        kj::Own<Backup> backup;
        KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                       backup = kj::heap<Backup>(context, options->directory, options->unconfirmed);
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
