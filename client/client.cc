#include "client/client.h"

#include <kj/debug.h>

#include "base/duration.h"
#include "base/logging.h"
#include "client/write.h"

namespace gavel::client {
namespace {

using schema::Auctioneer;
using Outcomes = kj::Array<Message<schema::Outcome>>;
using QueryReason = schema::QueryFailure::Reason;

const Route TO_HEAD{Route::To::head};

// Owns the texts, since a call outlives what the caller lends.
struct OwnIdentity {
  kj::String name;
  kj::Array<kj::byte> credential;

  explicit OwnIdentity(const Identity& identity)
      : name(kj::str(identity.name)), credential(kj::heapArray(identity.credential)) {}

  void fill(schema::Identity::Builder builder) const {
    builder.setName(name);
    builder.setCredential(credential);
  }
};

struct OwnOrder {
  kj::String auction;
  OwnIdentity bidder;
  std::int64_t amount;

  explicit OwnOrder(const BidOrder& order)
      : auction(kj::str(order.auction)), bidder(order.bidder), amount(order.amount) {}

  // The size of a request for this bid.  Without that hint Cap'n Proto allocates and clears 8 KiB
  // for each.
  std::size_t words() const {
    std::size_t size = 16;  // The fixed parts.
    for (std::size_t bytes: {auction.size(), bidder.name.size(), bidder.credential.size()}) {
      size += bytes / sizeof(capnp::word) + 1;
    }
    return size;
  }

  void fill(schema::Bid::Builder builder) const {
    builder.setAuction(auction);
    bidder.fill(builder.initBidder());
    builder.setAmount(amount);
  }
};

Outcomes one(schema::Outcome::Reader outcome) {
  auto builder = kj::heapArrayBuilder<Message<schema::Outcome>>(1);
  builder.add(outcome);
  return builder.finish();
}

const schema::QueryFailure::Reader failureOf(Auctioneer::Answer::Reader answer) {
  return answer.getFailure();
}
template <typename Page>
const schema::QueryFailure::Reader failureOf(Page page) {
  return page.getFailure();
}

bool isFailure(Auctioneer::Answer::Reader answer) {
  return answer.isFailure();
}
template <typename Page>
bool isFailure(Page page) {
  return page.hasFailure();
}

}  // namespace

struct Client::Opening: public kj::Refcounted {
  kj::Maybe<kj::Own<Session>> session;  // Null: none in time.
  kj::String problem;
  bool refused = false;  // Waiting is of no use.

  kj::Own<Opening> addRef() { return kj::addRef(*this); }
};

Client::Client(kj::Network& network, kj::Timer& timer, Random& random,
               kj::ArrayPtr<const kj::String> seeds)
    : Client(network, timer, random, seeds, Limits()) {}

Client::Client(kj::Network& network, kj::Timer& timer, Random& random,
               kj::ArrayPtr<const kj::String> seeds, Limits limits)
    : timer(timer),
      random(random),
      limits(limits),
      locator_(network, timer, seeds, limits.locator),
      nextLook(timer.now()) {
  if (limits.readFrom == ReadFrom::anyNode) turn = random.next();
}

Client::~Client() noexcept(false) {}

// ---------------------------------------------------------------------------------------------------
// Writes

kj::Promise<WriteResult> Client::bid(const BidOrder& order, kj::Maybe<RequestId> retryOf) {
  return writeOne(retryOf, [order = OwnOrder(order)](Auctioneer::Client& node, Write& write,
                                                     kj::ArrayPtr<const std::size_t>) {
    auto request = node.bidRequest(capnp::MessageSize{order.words(), 0});
    write.fill(0, request.initRequest());
    order.fill(request.initBid());
    return request.send().then([](auto&& response) { return one(response.getOutcome()); });
  });
}

kj::Promise<kj::Array<WriteResult>> Client::bids(kj::ArrayPtr<const BidOrder> orders) {
  auto own = KJ_MAP(order, orders) {
    return OwnOrder(order);
  };
  return write(orders.size(), nullptr,
               [own = kj::mv(own)](Auctioneer::Client& node, Write& write,
                                   kj::ArrayPtr<const std::size_t> indexes) {
                 std::size_t words = 2;
                 for (auto i: indexes) words += own[i].words();
                 auto request = node.bidsRequest(capnp::MessageSize{words, 0});
                 auto list = request.initRequests(indexes.size());
                 for (auto i: kj::indices(indexes)) {
                   write.fill(indexes[i], list[i].initRequest());
                   own[indexes[i]].fill(list[i].initBid());
                 }
                 return request.send().then([](auto&& response) {
                   return KJ_MAP(outcome, response.getOutcomes()) {
                     return Message<schema::Outcome>(outcome);
                   };
                 });
               });
}

kj::Promise<WriteResult> Client::create(kj::StringPtr auction, const Identity& owner,
                                        schema::Terms::Reader terms, kj::Maybe<RequestId> retryOf) {
  return writeOne(
      retryOf, [auction = kj::str(auction), owner = OwnIdentity(owner),
                terms = Message<schema::Terms>(terms)](Auctioneer::Client& node, Write& write,
                                                       kj::ArrayPtr<const std::size_t>) {
        auto request = node.createRequest();
        write.fill(0, request.initRequest());
        request.setAuction(auction);
        owner.fill(request.initOwner());
        request.setTerms(terms.get());
        return request.send().then([](auto&& response) { return one(response.getOutcome()); });
      });
}

kj::Promise<WriteResult> Client::close(kj::StringPtr auction, const Identity& owner,
                                       kj::Maybe<RequestId> retryOf) {
  return writeOne(
      retryOf, [auction = kj::str(auction), owner = OwnIdentity(owner)](
                   Auctioneer::Client& node, Write& write, kj::ArrayPtr<const std::size_t>) {
        auto request = node.closeRequest();
        write.fill(0, request.initRequest());
        request.setAuction(auction);
        owner.fill(request.initOwner());
        return request.send().then([](auto&& response) { return one(response.getOutcome()); });
      });
}

kj::Promise<WriteResult> Client::cancel(kj::StringPtr auction, const Identity& owner,
                                        kj::Maybe<RequestId> retryOf) {
  return writeOne(
      retryOf, [auction = kj::str(auction), owner = OwnIdentity(owner)](
                   Auctioneer::Client& node, Write& write, kj::ArrayPtr<const std::size_t>) {
        auto request = node.cancelRequest();
        write.fill(0, request.initRequest());
        request.setAuction(auction);
        owner.fill(request.initOwner());
        return request.send().then([](auto&& response) { return one(response.getOutcome()); });
      });
}

kj::Promise<WriteResult> Client::writeOne(kj::Maybe<RequestId> retryOf, SendWrites send) {
  return write(1, retryOf, kj::mv(send)).then([](kj::Array<WriteResult> results) {
    return kj::mv(results[0]);
  });
}

kj::Promise<kj::Array<WriteResult>> Client::write(std::size_t count, kj::Maybe<RequestId> retryOf,
                                                  SendWrites send) {
  auto write = kj::heap<Write>(count, retryOf, timer.now() + limits.timeout, kj::mv(send));
  auto& w = *write;
  KJ_IF_MAYBE (id, retryOf) {
    lastRequest_ = *id;
  }
  return canceler.wrap(
      settle(w).then([this, &w]() { return w.results(blame(w.problem)); }).attach(kj::mv(write)));
}

kj::Promise<void> Client::settle(Write& write) {
  auto attempted = numberNow(write)
                       ? attempt(write)
                       : number(write).then([this, &write]() { return attempt(write); });
  return attempted.then([this, &write]() -> kj::Promise<void> {
    // An attempt that leaves after the deadline would turn "not applied" into "unknown".
    if (timer.now() >= write.deadline || !write.renew()) return kj::READY_NOW;
    return settle(write);
  });
}

// The usual case: needs no promise.
bool Client::numberNow(Write& write) {
  if (!write.needsNumbers()) return true;
  KJ_IF_MAYBE (open, session) {
    if (!(*open)->usable()) return false;
    lastRequest_ = write.number(**open);
    return true;
  }
  return false;
}

// Gives each request an id, if a session can be had in time.
kj::Promise<void> Client::number(Write& write) {
  return openSession(write.deadline).then([this, &write](kj::Own<Opening> opening) {
    KJ_IF_MAYBE (opened, opening->session) {
      lastRequest_ = write.number(**opened);
    } else {
      write.problem = kj::str(opening->problem);
    }
  });
}

kj::Promise<void> Client::attempt(Write& write) {
  if (write.undecided().size() == 0) return kj::READY_NOW;
  auto retry = kj::heap<Retry>(
      locator_, timer, random, TO_HEAD, limits.retry, [&write](Auctioneer::Client& node) {
        auto indexes = write.undecided();
        for (auto index: indexes) write.left(index);
        auto copy = kj::heapArray(indexes.asPtr());
        auto sent = write.send(node, write, indexes);
        return sent.then(
            [&write, indexes = kj::mv(indexes)](Outcomes outcomes) {
              KJ_REQUIRE(outcomes.size() == indexes.size(),
                         "a node answered another number of bids");
              bool all = true;
              for (auto i: kj::indices(indexes)) {
                if (!write.answered(indexes[i], kj::mv(outcomes[i]))) all = false;
              }
              return all;
            },
            [&write, sentTo = kj::mv(copy)](kj::Exception&& exception) -> bool {
              // This is a master, for example.  It has run nothing.  After any other exception
              // nobody knows.
              if (exception.getType() == kj::Exception::Type::UNIMPLEMENTED) {
                for (auto index: sentTo) write.neverRan(index);
              }
              kj::throwFatalException(kj::mv(exception));
            });
      });
  auto& r = *retry;
  return r.run(write.deadline)
      .then([&write, &r](bool) {
        if (write.problem.size() == 0) write.problem = kj::str(r.lastProblem());
      })
      .attach(kj::mv(retry));
}

// ---------------------------------------------------------------------------------------------------
// Sessions

kj::Promise<kj::Own<Client::Opening>> Client::openSession(kj::TimePoint deadline) {
  KJ_IF_MAYBE (open, session) {
    if ((*open)->usable()) {
      auto result = kj::refcounted<Opening>();
      result->session = (*open)->addRef();
      return kj::mv(result);
    }
  }
  if (!isOpening) {
    isOpening = true;
    opening = startOpening(deadline).fork();
  }
  auto late = timer.atTime(deadline).then([]() { return kj::refcounted<Opening>(); });
  return opening.addBranch()
      .exclusiveJoin(kj::mv(late))
      .then([this, deadline](kj::Own<Opening> opened) -> kj::Promise<kj::Own<Opening>> {
        // The call that started the opening may have had less time.
        bool again = opened->session == nullptr && !opened->refused && timer.now() < deadline;
        if (again) return openSession(deadline);
        return kj::mv(opened);
      });
}

kj::Promise<kj::Own<Client::Opening>> Client::startOpening(kj::TimePoint deadline) {
  auto opened = kj::refcounted<Opening>();
  auto& result = *opened;
  auto retry = kj::heap<Retry>(
      locator_, timer, random, TO_HEAD, limits.retry, [&result](Auctioneer::Client& node) {
        return node.openSessionRequest().send().then([&result](auto&& response) {
          auto outcome = response.getOutcome();
          if (outcome.isSuccess()) {
            result.session = kj::refcounted<Session>(outcome.getSuccess().getIndex());
            return true;
          }
          if (outcome.isException()) {
            result.problem = kj::str(outcome.getException().getDetail());
          }
          return false;
        });
      });
  auto& r = *retry;
  return r.run(deadline)
      .then([this, &r, opened = kj::mv(opened)](bool) mutable {
        isOpening = false;
        KJ_IF_MAYBE (open, opened->session) {
          session = (*open)->addRef();
          logDebug("opened a session", {{"session", (*open)->id}});
        } else if (opened->problem.size() == 0) {
          opened->problem = kj::str(r.lastProblem());
        }
        opened->refused = r.refusal() != nullptr;
        return kj::mv(opened);
      })
      .attach(kj::mv(retry));
}

// ---------------------------------------------------------------------------------------------------
// Queries

Route Client::routeOfQuery(kj::StringPtr at) {
  if (at.size() > 0) return Route{Route::To::only, 0, at.cStr()};
  if (limits.readFrom == ReadFrom::tail) return Route{Route::To::tail};
  if (timer.now() >= nextLook) {
    // An answer to a query says nothing about the chain.
    nextLook = timer.now() + limits.lookForMembers;
    locator_.refresh();
  }
  return Route{Route::To::serving, turn++};
}

template <typename T>
kj::Promise<Message<T>> Client::read(
    Route route, kj::Function<kj::Promise<Message<T>>(Auctioneer::Client&)> send) {
  struct Query {
    kj::Function<kj::Promise<Message<T>>(Auctioneer::Client&)> send;
    kj::Maybe<Message<T>> answer;
    kj::String problem;
  };
  auto query = kj::heap<Query>();
  query->send = kj::mv(send);
  auto& q = *query;
  auto retry =
      kj::heap<Retry>(locator_, timer, random, route, limits.retry, [&q](Auctioneer::Client& node) {
        return q.send(node).then([&q](Message<T> answer) {
          if (isFailure(answer.get()) &&
              failureOf(answer.get()).getReason() == QueryReason::UNAVAILABLE) {
            q.problem = kj::str(failureOf(answer.get()).getDetail());
            return false;
          }
          q.answer = kj::mv(answer);
          return true;
        });
      });
  auto& r = *retry;
  return canceler.wrap(
      r.run(timer.now() + limits.timeout)
          .then([this, &q, &r, at = kj::str(route.node.c_str())](bool) {
            KJ_IF_MAYBE (answer, q.answer) {
              return kj::mv(*answer);
            }
            auto why = blame(q.problem.size() > 0 ? kj::StringPtr(q.problem) : r.lastProblem(), at);
            KJ_IF_MAYBE (refusal, r.refusal()) {
              why = kj::str(*refusal);
            }
            return Message<T>::make([&](typename T::Builder builder) {
              auto failure = builder.initFailure();
              failure.setReason(QueryReason::UNAVAILABLE);
              failure.setDetail(why);
            });
          })
          .attach(kj::mv(retry), kj::mv(query)));
}

kj::Promise<Answer> Client::result(kj::StringPtr auction, kj::StringPtr at) {
  return read<Auctioneer::Answer>(
      routeOfQuery(at), [auction = kj::str(auction)](Auctioneer::Client& node) {
        auto request = node.resultRequest();
        request.setAuction(auction);
        return request.send().then([](auto&& response) { return Answer(response.getAnswer()); });
      });
}

kj::Promise<Answer> Client::show(kj::StringPtr auction, kj::StringPtr at) {
  return read<Auctioneer::Answer>(
      routeOfQuery(at), [auction = kj::str(auction)](Auctioneer::Client& node) {
        auto request = node.showRequest();
        request.setAuction(auction);
        return request.send().then([](auto&& response) { return Answer(response.getAnswer()); });
      });
}

kj::Promise<AuctionPage> Client::list(std::uint64_t after, std::uint32_t limit, kj::StringPtr at) {
  return read<Auctioneer::ListResults>(routeOfQuery(at), [after, limit](Auctioneer::Client& node) {
    auto request = node.listRequest();
    request.setAfter(after);
    request.setLimit(limit);
    return request.send().then([](auto&& response) { return AuctionPage(response); });
  });
}

kj::Promise<HistoryPage> Client::history(kj::StringPtr auction, std::uint64_t fromVersion,
                                         std::uint32_t limit, kj::StringPtr at) {
  return read<schema::History>(
      routeOfQuery(at), [auction = kj::str(auction), fromVersion, limit](Auctioneer::Client& node) {
        auto request = node.historyRequest();
        request.setAuction(auction);
        request.setFromVersion(fromVersion);
        request.setLimit(limit);
        return request.send().then([](auto&& response) { return HistoryPage(response); });
      });
}

kj::String Client::blame(kj::StringPtr problem, kj::StringPtr at) const {
  auto time = formatDuration(limits.timeout);
  if (locator_.epoch() == 0) {
    KJ_IF_MAYBE (refusal, locator_.refusal({})) {
      return kj::mv(*refusal);
    }
    return kj::str("no chain was found within ", time, " (", locator_.problems(), ")");
  }
  auto what = at.size() == 0 ? kj::str("no outcome within ", time)
                             : kj::str(at, " gave no answer within ", time);
  return problem.size() == 0 ? kj::mv(what) : kj::str(what, "; last: ", problem);
}

kj::Promise<HistoryPage> Client::watch(kj::StringPtr auction, std::uint64_t fromVersion,
                                       std::uint64_t turn) {
  return read<schema::History>(
      Route{Route::To::serving, turn},
      [auction = kj::str(auction), fromVersion](Auctioneer::Client& node) {
        auto request = node.watchRequest();
        request.setAuction(auction);
        request.setFromVersion(fromVersion);
        return request.send().then([](auto&& response) { return HistoryPage(response); });
      });
}

kj::Promise<ChangesPage> Client::watchAll(std::uint64_t after, std::uint64_t turn) {
  return read<schema::Changes>(Route{Route::To::serving, turn}, [after](Auctioneer::Client& node) {
    auto request = node.watchAllRequest();
    request.setAfter(after);
    return request.send().then([](auto&& response) { return ChangesPage(response); });
  });
}

}  // namespace gavel::client
