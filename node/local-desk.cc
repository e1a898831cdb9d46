#include "node/local-desk.h"

#include <kj/debug.h>

#include "node/node.h"

namespace gavel::node {
namespace {

// How many bytes a call takes besides its message until it is answered, most of them in the RPC
// library.  Measured with 65,536 calls under way.
constexpr std::size_t BYTES_PER_CALL = 4096;
// How many bytes a bid of a list takes besides its message.
constexpr std::size_t BYTES_PER_BID = sizeof(auction::Request) + 2 * sizeof(auction::Outcome);

// Returns the most that an answer without a text takes.  Without it, Cap'n Proto allocates and
// clears 8 KiB for each answer: 4 % of what a bid costs the head.
capnp::MessageSize sizeOfOutcomes(std::size_t count) {
  constexpr std::size_t WORDS_EACH = 8;
  return {4 + count * WORDS_EACH, 0};
}

std::size_t bytesOf(const auto& params) {
  return BYTES_PER_CALL + sizeof(auction::Request) +
         params.totalSize().wordCount * sizeof(capnp::word);
}

// Writes that there is no answer now, as the results of a query.
template <typename Results>
void writeUnavailable(Results results, kj::StringPtr detail) {
  if constexpr (requires { results.initAnswer(); }) {
    tail::writeUnavailable(results.initAnswer().initFailure(), detail);
  } else {
    tail::writeUnavailable(results.initFailure(), detail);
  }
}

// Writes an answer that has no outcomes.
void writeRefusal(const head::Answer& answer, schema::Outcome::Builder builder) {
  wire::writeException(answer.kind == head::Answer::Kind::unknown
                           ? schema::Outcome::Exception::Reason::OUTCOME_UNKNOWN
                           : schema::Outcome::Exception::Reason::UNAVAILABLE,
                       answer.detail, builder);
}

}  // namespace

void checkCount(schema::Auctioneer::BidsParams::Reader params) {
  auto count = params.getRequests().size();
  KJ_REQUIRE(count <= MAX_BIDS_PER_CALL, "too many bids in one call: send them in several", count);
}

Node& LocalDesk::node() {
  KJ_IF_MAYBE (node, weak->get()) {
    return *node;
  }
  kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "this node is stopping"));
}

template <typename Context>
kj::Promise<void> LocalDesk::decide(Context context, auction::Request request) {
  std::vector<auction::Request> requests;
  requests.push_back(kj::mv(request));
  // The continuation holds the context, and with it the texts of the request.
  return node()
      .admission()
      .submit(kj::mv(requests), bytesOf(context.getParams()))
      .then([context](head::Answer answer) mutable {
        auto outcome = context.getResults(sizeOfOutcomes(1)).initOutcome();
        if (answer.kind == head::Answer::Kind::decided) {
          wire::writeOutcome(answer.outcomes.front(), outcome);
        } else {
          writeRefusal(answer, outcome);
        }
      });
}

kj::Promise<void> LocalDesk::openSession(OpenSessionContext context) {
  return decide(context, wire::readOpenSession());
}

kj::Promise<void> LocalDesk::bid(BidContext context) {
  auto params = context.getParams();
  return decide(context, wire::readBid(params.getRequest(), params.getBid()));
}

kj::Promise<void> LocalDesk::bids(BidsContext context) {
  auto params = context.getParams();
  checkCount(params);
  auto count = params.getRequests().size();
  return node()
      .admission()
      .submit(wire::readBids(params.getRequests()), bytesOf(params) + count * BYTES_PER_BID)
      .then([context, count](head::Answer answer) mutable {
        auto outcomes = context.getResults(sizeOfOutcomes(count)).initOutcomes(count);
        for (unsigned i = 0; i < count; ++i) {
          if (answer.kind == head::Answer::Kind::decided) {
            wire::writeOutcome(answer.outcomes[i], outcomes[i]);
          } else {
            writeRefusal(answer, outcomes[i]);
          }
        }
      });
}

kj::Promise<void> LocalDesk::create(CreateContext context) {
  return decide(context, wire::readCreate(context.getParams()));
}

kj::Promise<void> LocalDesk::close(CloseContext context) {
  return decide(context, wire::readClose(context.getParams()));
}

kj::Promise<void> LocalDesk::cancel(CancelContext context) {
  return decide(context, wire::readCancel(context.getParams()));
}

template <typename Context, typename Answer>
kj::Promise<void> LocalDesk::unlessUnavailable(Context context, Answer answer) {
  context.allowCancellation();
  // The call is refused even if it has read already, when the node then leaves its configuration.
  return kj::evalNow(kj::mv(answer))
      .catch_([context](kj::Exception&& exception) mutable -> kj::Promise<void> {
        if (exception.getType() != kj::Exception::Type::OVERLOADED) return kj::mv(exception);
        writeUnavailable(context.getResults(), exception.getDescription());
        return kj::READY_NOW;
      });
}

template <typename Context, typename Read>
kj::Promise<void> LocalDesk::query(Context context, Read read) {
  return unlessUnavailable(context, [this, read = kj::mv(read)]() mutable {
    return node().queries().confirmed().then(kj::mv(read));
  });
}

kj::Promise<void> LocalDesk::result(ResultContext context) {
  return query(context, [this, context](std::uint64_t epoch) mutable {
    return node().queries().result(epoch, context.getParams().getAuction(),
                                   context.getResults().initAnswer());
  });
}

kj::Promise<void> LocalDesk::show(ShowContext context) {
  return query(context, [this, context](std::uint64_t epoch) mutable {
    return node().queries().show(epoch, context.getParams().getAuction(),
                                 context.getResults().initAnswer());
  });
}

kj::Promise<void> LocalDesk::list(ListContext context) {
  return query(context, [this, context](std::uint64_t epoch) mutable {
    return node().queries().list(epoch, context.getParams(), context.getResults());
  });
}

kj::Promise<void> LocalDesk::history(HistoryContext context) {
  return query(context, [this, context](std::uint64_t epoch) mutable {
    auto params = context.getParams();
    return node().queries().history(epoch, params.getAuction(), params.getFromVersion(),
                                    params.getLimit(), context.getResults());
  });
}

kj::Promise<void> LocalDesk::watch(WatchContext context) {
  return unlessUnavailable(context, [this, context]() mutable {
    return node().watchers().watch(context.getParams(), context.getResults());
  });
}

kj::Promise<void> LocalDesk::watchAll(WatchAllContext context) {
  return unlessUnavailable(context, [this, context]() mutable {
    return node().watchers().watchAll(context.getParams(), context.getResults());
  });
}

}  // namespace gavel::node
