#pragma once

#include <kj/vector.h>

#include "client/client.h"

namespace gavel::client {

// One or several requests on their way to their outcomes, with what is known of each.  Pure
// bookkeeping: no I/O, no time.
class Client::Write {
public:
  // `retryOf` counts as sent before, by somebody who did not learn the outcome.
  Write(std::size_t count, kj::Maybe<RequestId> retryOf, kj::TimePoint deadline, SendWrites send);
  // Requests without an answer stay incomplete in their session: somebody may still ask for their
  // outcome.
  ~Write() noexcept(false);
  KJ_DISALLOW_COPY(Write);

  const kj::TimePoint deadline;
  SendWrites send;
  kj::String problem;  // Why the last failed attempt failed.

  // Whether some requests have no id yet and need one.
  bool needsNumbers() const;
  // Gives those requests ids, in order, and returns the last one.
  RequestId number(Session& session);

  // The requests with an id and without an outcome, in order.
  kj::Array<std::size_t> undecided() const;
  // Fills in the request id of `index` for the message.
  void fill(std::size_t index, schema::RequestId::Builder id) const;

  // Reports that an attempt at `index` is about to leave.
  void left(std::size_t index) { ++items[index].unanswered; }
  // Reports that an attempt at `index` reached a process that does not serve such calls at all.
  void neverRan(std::size_t index) { --items[index].unanswered; }
  // Reports the answer to an attempt at `index`.  Returns false if it settles nothing.
  bool answered(std::size_t index, Message<schema::Outcome> outcome);

  // Forgets the requests that certainly did not run because their session was gone or full.  They
  // are then numbered anew.  Returns whether there are any.
  bool renew();

  // The outcomes, at the end.  An undecided one is `unavailable` if certainly not applied, else
  // `outcomeUnknown`; `why` becomes part of it.
  kj::Array<WriteResult> results(kj::StringPtr why);

private:
  struct Item {
    kj::Maybe<Ticket> ticket;
    kj::Maybe<RequestId> id;
    // Attempts that left this process and have no definite answer.
    unsigned unanswered = 0;
    kj::Maybe<Message<schema::Outcome>> outcome;
  };

  static constexpr unsigned MOST_RENEWALS = 3;

  kj::Array<Item> items;
  unsigned renewals = 0;

  static bool wantsRenewal(const Item& item);
  WriteResult result(Item& item, kj::StringPtr why);
};

}  // namespace gavel::client
