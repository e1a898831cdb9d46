#include "tests/history/recording-client.h"

#include <utility>

#include <kj/debug.h>

namespace gavel::history {
namespace {

using Told = Outcome::Kind;

Outcome only(Told kind) {
  Outcome outcome;
  outcome.kind = kind;
  return outcome;
}

Outcome unexpected(kj::StringPtr detail) {
  auto outcome = only(Told::unexpected);
  outcome.detail = detail.cStr();
  return outcome;
}

Outcome outcomeOf(schema::Outcome::Success::Reader success) {
  auto outcome = only(Told::success);
  outcome.version = success.getVersion();
  outcome.index = success.getIndex();
  outcome.stamp = success.getStamp();
  outcome.deadline = success.getDeadline();
  return outcome;
}

Outcome outcomeOf(schema::Outcome::Fail::Reader fail) {
  bool tooLow = fail.getReason() == schema::Outcome::Fail::Reason::TOO_LOW;
  auto outcome = only(tooLow ? Told::tooLow : Told::belowStart);
  outcome.amount = fail.getHighest();
  outcome.nextValid = fail.getNextValid();
  return outcome;
}

Outcome outcomeOf(schema::Outcome::Exception::Reader exception) {
  using Reason = schema::Outcome::Exception::Reason;
  switch (exception.getReason()) {
    case Reason::CLOSED:
      return only(Told::closed);
    case Reason::NO_SUCH_AUCTION:
      return only(Told::noSuchAuction);
    case Reason::NOT_YOURS:
      return only(Told::notYours);
    case Reason::ALREADY_EXISTS:
      return only(Told::alreadyExists);
    case Reason::OUTCOME_UNKNOWN:
      return only(Told::unknown);
    case Reason::UNAVAILABLE:
    case Reason::SESSION_EXPIRED:
    case Reason::TOO_MANY_INCOMPLETE:
      return only(Told::notApplied);
    case Reason::INVALID_AMOUNT:
    case Reason::INVALID_ARGUMENT:
    case Reason::REQUEST_MISMATCH:
    case Reason::REQUEST_FORGOTTEN:
      break;
  }
  return unexpected(kj::str(exception));
}

Outcome outcomeOf(schema::Outcome::Reader outcome) {
  switch (outcome.which()) {
    case schema::Outcome::SUCCESS:
      return outcomeOf(outcome.getSuccess());
    case schema::Outcome::FAIL:
      return outcomeOf(outcome.getFail());
    case schema::Outcome::EXCEPTION:
      return outcomeOf(outcome.getException());
  }
  return unexpected(kj::str(outcome));
}

Outcome outcomeOf(schema::AuctionView::Reader view) {
  Outcome outcome;
  auto state = view.getState();
  switch (state.which()) {
    case schema::AuctionView::State::OPEN: {
      auto open = state.getOpen();
      outcome.kind = Told::open;
      outcome.amount = open.getHighest();
      outcome.who = open.getHighestBidder().cStr();
      outcome.nextValid = open.getNextValid();
      outcome.due = open.getDue();
      break;
    }
    case schema::AuctionView::State::SOLD:
      outcome.kind = Told::sold;
      outcome.amount = state.getSold().getPrice();
      outcome.who = state.getSold().getWinner().cStr();
      break;
    case schema::AuctionView::State::NO_SALE:
      outcome.kind = Told::noSale;
      break;
    case schema::AuctionView::State::CANCELLED:
      outcome.kind = Told::cancelled;
      break;
    default:
      return unexpected(kj::str(view));
  }
  outcome.version = view.getVersion();
  outcome.index = view.getIndex();
  outcome.deadline = view.getDeadline();
  return outcome;
}

}  // namespace

Outcome outcomeOf(schema::Auctioneer::Answer::Reader answer) {
  if (answer.isAuction()) return outcomeOf(answer.getAuction());
  switch (answer.getFailure().getReason()) {
    case schema::QueryFailure::Reason::NO_SUCH_AUCTION:
      return only(Told::noSuchAuction);
    case schema::QueryFailure::Reason::UNAVAILABLE:
      return only(Told::unknown);
  }
  return unexpected(kj::str(answer.getFailure()));
}

namespace {

void fill(const Terms& terms, schema::Terms::Builder builder) {
  builder.setDuration(terms.duration);
  builder.setStartingPrice(terms.startingPrice);
  builder.setReserve(terms.reserve);
  auto increment = builder.initIncrement();
  if (terms.percent) {
    increment.setPercent(static_cast<std::uint32_t>(terms.increment));
  } else {
    increment.setAbsolute(terms.increment);
  }
  if (terms.window == 0) return;
  auto soft = builder.initSoftClose();
  soft.setWindow(terms.window);
  soft.setExtension(terms.extension);
  soft.setHardEnd(terms.hardEnd);
}

}  // namespace

Version versionOf(schema::Version::Reader reader) {
  Version version;
  version.version = reader.getVersion();
  switch (reader.getKind()) {
    case schema::Version::Kind::CREATED:
      version.kind = Version::Kind::created;
      break;
    case schema::Version::Kind::BID:
      version.kind = Version::Kind::bid;
      break;
    case schema::Version::Kind::CLOSED:
      version.kind = Version::Kind::closed;
      break;
    case schema::Version::Kind::CANCELLED:
      version.kind = Version::Kind::cancelled;
      break;
  }
  version.who = reader.getWho().cStr();
  version.amount = reader.getAmount();
  version.index = reader.getIndex();
  version.stamp = reader.getStamp();
  version.deadline = reader.getDeadline();
  return version;
}

RecordingClient::RecordingClient(client::Client& client, History& history, Settings given, Now now)
    : client(client), history(history), settings(std::move(given)), now(std::move(now)) {
  kj::StringPtr secret = settings.impostor ? "what an impostor shows" : "what bidders have agreed";
  credential = kj::heapArray(secret.asBytes());
}

client::Identity RecordingClient::identity() const {
  return {settings.name.c_str(), credential};
}

Operation RecordingClient::operation(Kind kind, const std::string& auction) const {
  Operation operation;
  operation.client = settings.number;
  operation.kind = kind;
  operation.auction = auction;
  if (kind != Kind::result) {
    operation.who = settings.name;
    operation.impostor = settings.impostor;
  }
  return operation;
}

History::Id RecordingClient::begin(Operation operation) {
  operation.invoked = history.moment(now());
  return history.begin(std::move(operation));
}

kj::Promise<History::Id> RecordingClient::create(const std::string& auction, const Terms& terms) {
  auto asked = operation(Kind::create, auction);
  asked.terms = terms;
  return write(begin(std::move(asked)), nullptr);
}

kj::Promise<History::Id> RecordingClient::bid(const std::string& auction, std::int64_t amount) {
  auto asked = operation(Kind::bid, auction);
  asked.amount = amount;
  return write(begin(std::move(asked)), nullptr);
}

kj::Promise<History::Id> RecordingClient::close(const std::string& auction) {
  return write(begin(operation(Kind::close, auction)), nullptr);
}

kj::Promise<History::Id> RecordingClient::cancel(const std::string& auction) {
  return write(begin(operation(Kind::cancel, auction)), nullptr);
}

kj::Promise<History::Id> RecordingClient::askAgain(History::Id id) {
  return write(id, requests.at(id));
}

kj::Promise<client::WriteResult> RecordingClient::send(const Operation& operation,
                                                       kj::Maybe<client::RequestId> retryOf) {
  kj::StringPtr auction = operation.auction.c_str();
  switch (operation.kind) {
    case Kind::create: {
      capnp::MallocMessageBuilder message;
      auto terms = message.initRoot<schema::Terms>();
      fill(operation.terms, terms);
      return client.create(auction, identity(), terms, retryOf);
    }
    case Kind::bid:
      return client.bid({auction, identity(), operation.amount}, retryOf);
    case Kind::close:
      return client.close(auction, identity(), retryOf);
    case Kind::cancel:
      return client.cancel(auction, identity(), retryOf);
    case Kind::result:
      break;
  }
  KJ_UNREACHABLE;
}

kj::Promise<History::Id> RecordingClient::write(History::Id id,
                                                kj::Maybe<client::RequestId> retryOf) {
  // Nobody may ask again until the outcome of this attempt is known.
  requests.erase(id);
  return send(history.operations()[id], retryOf).then([this, id](client::WriteResult result) {
    auto outcome = outcomeOf(result.outcome());
    if (outcome.kind == Told::unknown) {
      KJ_IF_MAYBE (request, result.request) {
        requests.emplace(id, *request);
      }
    }
    history.end(id, history.moment(now()), std::move(outcome));
    return id;
  });
}

kj::Promise<History::Id> RecordingClient::result(const std::string& auction) {
  auto id = begin(operation(Kind::result, auction));
  return client.result(auction.c_str()).then([this, id](client::Answer answer) {
    history.end(id, history.moment(now()), outcomeOf(answer.get()));
    return id;
  });
}

kj::Promise<void> RecordingClient::readFinal(const std::string& auction) {
  FinalHistory final;
  final.auction = auction;
  final.invoked = history.moment(now());
  return readPages(kj::mv(final));
}

kj::Promise<void> RecordingClient::readPages(FinalHistory final) {
  auto page = client.history(final.auction.c_str(), final.versions.size() + 1, 0);
  return page.then(
      [this, final = kj::mv(final)](client::HistoryPage answer) mutable -> kj::Promise<void> {
        auto page = answer.get();
        if (page.hasFailure() &&
            page.getFailure().getReason() == schema::QueryFailure::Reason::UNAVAILABLE) {
          return readPages(kj::mv(final));
        }
        for (auto version: page.getVersions()) final.versions.push_back(versionOf(version));
        if (page.getMore()) return readPages(kj::mv(final));
        final.returned = history.moment(now());
        history.add(kj::mv(final));
        return kj::READY_NOW;
      });
}

}  // namespace gavel::history
