#pragma once

#include <kj/vector.h>

#include "client/client.h"

namespace gavel::client {

// One or several requests on their way to their outcomes, and what may be said of them at each
// point. Pure bookkeeping: no I/O, no time.
class Client::Write {
public:
  // `retryOf` counts as sent before, by somebody who did not learn the outcome.
  Write(std::size_t count, kj::Maybe<RequestId> retryOf, kj::TimePoint deadline, SendWrites send);
  // Abandoned: what is without an answer may still be asked for under its id, and must not be
  // freed.
  ~Write() noexcept(false);
  KJ_DISALLOW_COPY(Write);

  const kj::TimePoint deadline;
  SendWrites send;
  kj::String problem;  // What the last failed attempt came to.

  // Requests that were not given an id yet and need one.
  bool needsNumbers() const;
  // Gives them theirs, in order, and returns the last one.
  RequestId number(Session& session);

  // Those with an id and without an outcome, in order.
  kj::Array<std::size_t> undecided() const;
  // Fills in the id that goes with `index` on the wire.
  void fill(std::size_t index, schema::RequestId::Builder id) const;

  // An attempt at `index` is about to leave.
  void left(std::size_t index) { ++items[index].unanswered; }
  // One of the attempts at `index` reached a process that does not serve such calls at all.
  void neverRan(std::size_t index) { --items[index].unanswered; }
  // One of the attempts at `index` was answered.  Returns false if the answer settles nothing.
  bool answered(std::size_t index, Message<schema::Outcome> outcome);

  // Forgets the requests that certainly did not run because their session was gone (or full), for
  // them to be numbered anew.  Returns whether there are any.
  bool renew();

  // The outcomes, at the end: what is still undecided is `unavailable` if certainly not applied,
  // else `outcomeUnknown`.  `why` goes into these.
  kj::Array<WriteResult> results(kj::StringPtr why);

private:
  struct Item {
    kj::Maybe<Ticket> ticket;
    kj::Maybe<RequestId> id;
    // Attempts that left this process and that no definite answer has come to.
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
