#include "client/write.h"

#include <kj/debug.h>

namespace gavel::client {
namespace {

using Reason = schema::Outcome::Exception::Reason;

Message<schema::Outcome> exception(Reason reason, kj::StringPtr detail) {
  return Message<schema::Outcome>::make([&](schema::Outcome::Builder outcome) {
    auto exception = outcome.initException();
    exception.setReason(reason);
    exception.setDetail(detail);
  });
}

bool isException(schema::Outcome::Reader outcome, Reason reason) {
  return outcome.isException() && outcome.getException().getReason() == reason;
}

}  // namespace

Client::Write::Write(std::size_t count, kj::Maybe<RequestId> retryOf, kj::TimePoint deadline,
                     SendWrites send)
    : deadline(deadline), send(kj::mv(send)), items(kj::heapArray<Item>(count)) {
  KJ_IF_MAYBE (id, retryOf) {
    KJ_REQUIRE(count == 1, "a request id names one request", count);
    items[0].id = *id;
    items[0].unanswered = 1;
  }
}

Client::Write::~Write() noexcept(false) {
  for (auto& item: items) {
    if (item.unanswered == 0 || item.outcome != nullptr) continue;
    KJ_IF_MAYBE (ticket, item.ticket) {
      ticket->leaveIncomplete();
    }
  }
}

bool Client::Write::needsNumbers() const {
  for (auto& item: items) {
    if (item.id == nullptr && item.outcome == nullptr) return true;
  }
  return false;
}

RequestId Client::Write::number(Session& session) {
  RequestId last;
  for (auto& item: items) {
    if (item.id != nullptr || item.outcome != nullptr) continue;
    Ticket ticket(session);
    last = ticket.id();
    item.id = last;
    item.ticket = kj::mv(ticket);
  }
  return last;
}

kj::Array<std::size_t> Client::Write::undecided() const {
  kj::Vector<std::size_t> result(items.size());
  for (auto i: kj::indices(items)) {
    if (items[i].id != nullptr && items[i].outcome == nullptr) result.add(i);
  }
  return result.releaseAsArray();
}

void Client::Write::fill(std::size_t index, schema::RequestId::Builder id) const {
  auto& item = items[index];
  auto& known = KJ_ASSERT_NONNULL(item.id);
  id.setSession(known.session);
  id.setSequence(known.sequence);
  KJ_IF_MAYBE (ticket, item.ticket) {
    id.setLowestIncomplete(ticket->lowestIncomplete());
  }
}

bool Client::Write::answered(std::size_t index, Message<schema::Outcome> outcome) {
  auto& item = items[index];
  if (item.outcome != nullptr) return true;  // By an earlier attempt.
  if (isException(outcome.get(), Reason::OUTCOME_UNKNOWN)) {
    problem = kj::str(outcome.get().getException().getDetail());
    return false;
  }
  --item.unanswered;
  if (isException(outcome.get(), Reason::UNAVAILABLE)) {
    problem = kj::str(outcome.get().getException().getDetail());
    return false;
  }
  item.outcome = kj::mv(outcome);
  return true;
}

bool Client::Write::wantsRenewal(const Item& item) {
  KJ_IF_MAYBE (outcome, item.outcome) {
    return isException(outcome->get(), Reason::SESSION_EXPIRED) ||
           isException(outcome->get(), Reason::TOO_MANY_INCOMPLETE);
  }
  return false;
}

bool Client::Write::renew() {
  if (renewals == MOST_RENEWALS) return false;
  bool any = false;
  for (auto& item: items) {
    if (!wantsRenewal(item) || item.unanswered > 0) continue;
    // Other users of the session would only get the same answer.
    KJ_IF_MAYBE (ticket, item.ticket) {
      ticket->inSession().end();
    }
    item.ticket = nullptr;
    item.id = nullptr;
    item.outcome = nullptr;
    any = true;
  }
  if (any) ++renewals;
  return any;
}

kj::Array<WriteResult> Client::Write::results(kj::StringPtr why) {
  auto builder = kj::heapArrayBuilder<WriteResult>(items.size());
  for (auto& item: items) builder.add(result(item, why));
  return builder.finish();
}

WriteResult Client::Write::result(Item& item, kj::StringPtr why) {
  bool sessionGone = wantsRenewal(item) && item.unanswered > 0;
  if (!sessionGone) {
    KJ_IF_MAYBE (outcome, item.outcome) {
      return WriteResult{kj::mv(*outcome), item.id};
    }
  }
  if (item.unanswered == 0) {
    return WriteResult{exception(Reason::UNAVAILABLE, kj::str("certainly not applied: ", why)),
                       item.id};
  }
  KJ_IF_MAYBE (ticket, item.ticket) {
    ticket->leaveIncomplete();
  }
  auto detail = sessionGone ? kj::str(
                                  "an attempt was not answered, and then its session had ended, so "
                                  "the nodes can no longer tell; the auction's history does")
                            : kj::str("an attempt was sent and not answered: ", why);
  return WriteResult{exception(Reason::OUTCOME_UNKNOWN, detail), item.id};
}

}  // namespace gavel::client
