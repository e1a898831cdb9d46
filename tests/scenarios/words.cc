#include "tests/scenarios/words.h"

#include <fmt/format.h>

#include <capnp/serialize.h>

#include "schema/master.capnp.h"
#include "schema/peer.capnp.h"

namespace gavel::scenarios {
namespace {

std::string text(capnp::Text::Reader reader) {
  return {reader.begin(), reader.size()};
}

std::string position(schema::Position::Reader reader) {
  if (reader.getIndex() == 0) return "0";
  return fmt::format("{} of epoch {}", reader.getIndex(), reader.getEpoch());
}

std::string request(schema::RequestId::Reader id) {
  return fmt::format("request {}-{}", id.getSession(), id.getSequence());
}

std::string outcome(schema::Outcome::Reader reader) {
  if (reader.isSuccess()) {
    auto success = reader.getSuccess();
    return fmt::format("success: entry {}", success.getIndex());
  }
  if (reader.isFail()) {
    auto fail = reader.getFail();
    return fmt::format("fail: too low, {} leads", fail.getHighest());
  }
  auto exception = reader.getException();
  using Reason = schema::Outcome::Exception::Reason;
  switch (exception.getReason()) {
    case Reason::UNAVAILABLE:
      return "not run: " + text(exception.getDetail());
    case Reason::OUTCOME_UNKNOWN:
      return "may be in effect: " + text(exception.getDetail());
    default:
      return "exception: " + text(exception.getDetail());
  }
}

Words::Said committed(std::uint64_t index) {
  if (index == 0) return "";
  Words::Said said(fmt::format("committed {}", index));
  said.index = index;
  return said;
}

std::string answerOf(schema::Auctioneer::Answer::Reader reader) {
  if (reader.isFailure()) return "no answer: " + text(reader.getFailure().getDetail());
  auto view = reader.getAuction();
  auto state = view.getState();
  if (!state.isOpen()) return "over";
  auto open = state.getOpen();
  if (open.getHighest() == 0) return fmt::format("no bid yet, as of entry {}", view.getIndex());
  return fmt::format("{} by {} leads, as of entry {}", open.getHighest(),
                     text(open.getHighestBidder()), view.getIndex());
}

std::string rejection(schema::Rejection::Reader reader) {
  switch (reader.getReason()) {
    case schema::Rejection::Reason::LOWER_EPOCH:
      return fmt::format("no, epoch {} is over: {} is {}", reader.getConfiguration().getEpoch() - 1,
                         reader.getConfiguration().getEpoch(), chain(reader.getConfiguration()));
    case schema::Rejection::Reason::BUSY:
      return "not now";
    case schema::Rejection::Reason::NOT_ADDRESSED:
      return "no, not addressed: " + text(reader.getDetail());
  }
  return "no";
}

// The entries in the batches of an append: "4" or "4 to 6"; empty: none.
std::string entries(capnp::List<capnp::Data>::Reader batches) {
  std::uint64_t first = 0, last = 0;
  for (auto bytes: batches) {
    auto framed = bytes.slice(sizeof(std::uint64_t), bytes.size());
    auto words = kj::heapArray<capnp::word>(framed.size() / sizeof(capnp::word));
    memcpy(words.begin(), framed.begin(), framed.size());
    capnp::FlatArrayMessageReader reader(words);
    auto batch = reader.getRoot<schema::Batch>();
    if (first == 0) first = batch.getFirstIndex();
    last = batch.getFirstIndex() + batch.getEntries().size() - 1;
  }
  if (first == 0) return "";
  return first == last ? fmt::format("{}", first) : fmt::format("{} to {}", first, last);
}

// The value of a field in the text of a logged event.
std::string field(std::string_view text, std::string_view name) {
  auto begin = text.find(fmt::format(" {}=", name));
  if (begin == std::string_view::npos) return "";
  begin += name.size() + 2;
  auto quoted = begin < text.size() && text[begin] == '"';
  if (quoted) ++begin;
  auto end = text.find(quoted ? '"' : ' ', begin);
  return std::string(text.substr(begin, end - begin));
}

struct LogWords {
  std::string_view event;
  std::string_view words;  // With {names} of fields.
};

constexpr LogWords LOGGED[] = {
    // Of masters.
    {"connection to a node has closed", "the connection of {node} has closed"},
    {"two members cannot talk to each other, though both are heard",
     "hears {a} and {b}, which cannot talk to each other"},
    {"another master has changed the configuration",
     "hears that another master has stored epoch {epoch}"},
    {"stands by, so that all nodes meet at the other master",
     "stands by: its nodes are to meet at the other master"},
    {"this process was paused or starved: all nodes get a fresh grace",
     "was paused: all nodes get a fresh grace"},
    // Of nodes.
    {"no master: the chain goes on, but cannot be re-linked", "has no master"},
    {"the disk does not answer: this node confirms nothing until it does",
     "its disk does not answer: it confirms nothing"},
    {"the disk answers again", "its disk answers again"},
    {"refusing what the predecessor sent", "refuses that: {error}"},
    {"refused a configuration", "refuses that configuration: {reason}"},
};

}  // namespace

std::string chain(schema::Configuration::Reader configuration) {
  std::string serving, joining;
  for (auto member: configuration.getMembers()) {
    if (member.getState() == schema::Member::State::SYNCING) {
      joining += ", " + text(member.getName()) + " joins";
    } else {
      serving += (serving.empty() ? "" : " > ") + text(member.getName());
    }
  }
  return serving + joining;
}

std::optional<std::string> wordsOfLog(std::string_view event, std::string_view logged) {
  for (auto& each: LOGGED) {
    if (each.event != event) continue;
    std::string words(each.words);
    for (auto open = words.find('{'); open != std::string::npos; open = words.find('{')) {
      auto close = words.find('}', open);
      words.replace(open, close - open + 1,
                    field(logged, words.substr(open + 1, close - open - 1)));
    }
    return words;
  }
  return std::nullopt;
}

template <typename Interface, typename Params>
void Words::onCall(std::uint16_t number, std::function<Said(typename Params::Reader)> words) {
  methods[{capnp::typeId<Interface>(), number}].call =
      [words = std::move(words)](capnp::AnyPointer::Reader params) {
        return words(params.getAs<Params>());
      };
}

template <typename Interface, typename Results>
void Words::onAnswer(std::uint16_t number, std::function<Said(typename Results::Reader)> words) {
  methods[{capnp::typeId<Interface>(), number}].answer =
      [words = std::move(words)](capnp::AnyPointer::Reader results) {
        return words(results.getAs<Results>());
      };
}

Words::Words(NameOf nameOf): nameOf(std::move(nameOf)) {
  addAuctioneer();
  addPeer();
  addLink();
  addSnapshot();
  addMaster();
}

Words::Said Words::call(Wiretap::Method method, capnp::AnyPointer::Reader params) const {
  auto found = methods.find(method);
  return found == methods.end() || !found->second.call ? Said("") : found->second.call(params);
}

Words::Said Words::answer(Wiretap::Method method, capnp::rpc::Return::Reader answer) const {
  auto found = methods.find(method);
  if (found == methods.end() || !found->second.answer) return "";
  if (answer.isException()) return "fails: " + text(answer.getException().getReason());
  return answer.isResults() ? found->second.answer(answer.getResults().getContent()) : Said("");
}

void Words::addAuctioneer() {
  using Service = schema::Auctioneer;
  onCall<Service, Service::OpenSessionParams>(0, [](auto) { return "open a session"; });
  onAnswer<Service, Service::OpenSessionResults>(0, [](auto results) -> Said {
    auto told = results.getOutcome();
    if (!told.isSuccess()) return outcome(told);
    return fmt::format("session {}", told.getSuccess().getIndex());
  });
  onCall<Service, Service::BidParams>(1, [](auto params) -> Said {
    auto bid = params.getBid();
    return fmt::format("bid {} by {} ({})", bid.getAmount(), text(bid.getBidder().getName()),
                       request(params.getRequest()));
  });
  onAnswer<Service, Service::BidResults>(
      1, [](auto results) -> Said { return outcome(results.getOutcome()); });
  onCall<Service, Service::CreateParams>(3, [](auto params) -> Said {
    return fmt::format("create auction {} ({})", text(params.getAuction()),
                       request(params.getRequest()));
  });
  onAnswer<Service, Service::CreateResults>(
      3, [](auto results) -> Said { return outcome(results.getOutcome()); });
  onCall<Service, Service::ResultParams>(
      6, [](auto params) -> Said { return "who leads " + text(params.getAuction()) + "?"; });
  onAnswer<Service, Service::ResultResults>(
      6, [](auto results) -> Said { return answerOf(results.getAnswer()); });
}

void Words::addPeer() {
  using Service = schema::Peer;
  onCall<Service, Service::AttachParams>(0, [](auto params) -> Said {
    return fmt::format("attach in epoch {}: my log ends at {}", params.getHeader().getEpoch(),
                       position(params.getEnd()));
  });
  onAnswer<Service, Service::AttachResults>(0, [](auto results) -> Said {
    auto result = results.getResult();
    if (result.isRejected()) return rejection(result.getRejected());
    return "attached: my log ends at " + position(result.getAttached().getEnd());
  });
  onCall<Service, Service::ReportCommitsParams>(
      2, [](auto) { return Said("I shall tell you what is committed", true); });
  onCall<Service, Service::PromiseParams>(3, [](auto params) -> Said {
    return {fmt::format("promise to adopt nothing below epoch {}", params.getEpoch()), true};
  });
  onAnswer<Service, Service::PromiseResults>(3, [](auto results) -> Said {
    auto result = results.getResult();
    if (result.isPromised()) return "promised, it is on my disk";
    if (result.isNewer()) return "no, there is a newer epoch";
    return "no: " + text(result.getRefused());
  });
}

void Words::addLink() {
  using Link = schema::Link;
  onCall<Link, Link::AppendParams>(0, [](auto params) -> Said {
    auto sent = entries(params.getBatches());
    std::string words = sent.empty() ? "" : "append " + sent;
    auto add = [&](const char* name, std::uint64_t index) {
      if (index != 0) words += fmt::format("{}{} {}", words.empty() ? "" : ", ", name, index);
    };
    add("durable", params.getDurable());
    add("committed", params.getCommit());
    Said said(words);
    if (sent.empty()) said.index = std::max(params.getDurable(), params.getCommit());
    return said;
  });
  onCall<Link, Link::CutParams>(2, [](auto params) -> Said {
    return "does your log hold " + position(params.getPosition()) + "?";
  });
  onAnswer<Link, Link::CutResults>(2, [](auto results) -> Said {
    auto result = results.getResult();
    if (result.isShared()) return "yes, and it ends there now";
    return "no; does yours hold " + position(result.getCandidate()) + "?";
  });
  onCall<Link, Link::InstallParams>(3, [](auto params) -> Said {
    return "drop all you have: here is a snapshot as of " + position(params.getPosition());
  });
  onAnswer<Link, Link::InstallResults>(3, [](auto) { return "dropped, and that is on my disk"; });
  onCall<Link, Link::ConfirmParams>(4, [](auto params) -> Said {
    return fmt::format("confirm, down to the tail: still epoch {}?", params.getHeader().getEpoch());
  });
  onAnswer<Link, Link::ConfirmResults>(4, [](auto results) -> Said {
    return fmt::format("confirmed, and {} is committed", results.getCommit());
  });

  using Acks = schema::Acks;
  onCall<Acks, Acks::CommittedParams>(0, [](auto params) { return committed(params.getCommit()); });
  onCall<Acks, Acks::RefusedParams>(1, [](auto params) -> Said {
    return "I take nothing more on this link: " + text(params.getDetail());
  });
  onCall<Acks, Acks::PersistedParams>(
      2, [](auto params) -> Said { return fmt::format("on my disk {}", params.getDurable()); });
  onCall<Acks, Acks::ConfirmParams>(3, [](auto params) -> Said {
    return fmt::format("confirm, up to the head: still epoch {}?", params.getHeader().getEpoch());
  });
  onAnswer<Acks, Acks::ConfirmResults>(3, [](auto) { return "confirmed"; });

  using Commits = schema::Commits;
  onCall<Commits, Commits::CommittedParams>(
      0, [](auto params) { return committed(params.getCommit()); });
}

void Words::addSnapshot() {
  using Sink = schema::SnapshotSink;
  onCall<Sink, Sink::WriteParams>(0, [](auto) { return "a part of the snapshot"; });
  onCall<Sink, Sink::FinishParams>(1, [](auto params) -> Said {
    return fmt::format("that was the last of {} parts", params.getParts());
  });
  onAnswer<Sink, Sink::FinishResults>(1, [](auto) { return "the snapshot is on my disk"; });
}

void Words::addMaster() {
  using Registry = schema::Registry;
  onCall<Registry, Registry::RegisterParams>(0, [](auto params) -> Said {
    auto status = params.getStatus();
    if (params.getEmpty()) return {"register me: I am empty", true};
    return {fmt::format("register me: epoch {}, log {}, generation {}", status.getEpoch(),
                        status.getEnd().getIndex(), status.getGeneration()),
            true};
  });
  onAnswer<Registry, Registry::RegisterResults>(0, [](auto results) -> Said {
    auto result = results.getResult();
    if (result.isRefused()) return "refused: " + text(result.getRefused());
    if (result.isNotNow()) return {"not now: " + text(result.getNotNow()), true};
    auto configuration = result.getRegistered().getConfiguration();
    if (configuration.getEpoch() == 0) return "registered, there is no chain yet";
    Said said(
        fmt::format("registered, epoch {} is {}", configuration.getEpoch(), chain(configuration)));
    said.epoch = configuration.getEpoch();
    return said;
  });

  using Registration = schema::Registration;
  onCall<Registration, Registration::ReportParams>(1, [this](auto params) -> Said {
    return {fmt::format("I cannot reach {}", nameOf(params.getSuspect())), true};
  });
  onCall<Registration, Registration::GateParams>(2, [this](auto params) -> Said {
    return {fmt::format("I gate {} in epoch {}", nameOf(params.getJoiner()), params.getEpoch()),
            true};
  });
  onCall<Registration, Registration::LinkParams>(3, [this](auto params) -> Said {
    using State = schema::LinkReport::State;
    auto report = params.getReport();
    auto state = report.getState();
    return {fmt::format("what I send {} {}", nameOf(report.getPeer()),
                        state == State::WORKS       ? "arrives again"
                        : state == State::PATH_DEAD ? "does not arrive"
                                                    : "is not answered"),
            true};
  });

  using Control = schema::NodeControl;
  onCall<Control, Control::ConfigureParams>(0, [](auto params) -> Said {
    auto configuration = params.getConfiguration();
    Said said(fmt::format("epoch {} is {}", configuration.getEpoch(), chain(configuration)));
    said.epoch = configuration.getEpoch();
    said.onlyEpoch = true;
    return said;
  });

  using Topology = schema::Topology;
  onCall<Topology, Topology::StatusParams>(1, [](auto) { return Said("who are you?", true); });
}

}  // namespace gavel::scenarios
