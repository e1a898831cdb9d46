#pragma once

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/timer.h>

#include "base/random.h"
#include "client/chain-locator.h"
#include "client/message.h"
#include "client/retry.h"
#include "client/session.h"
#include "schema/auction.capnp.h"

// The client library: bids and queries that survive crashes and re-links of the chain.
namespace gavel::client {

// Who asks.  Borrowed by the calls that take it until they return, not until their promise ends.
struct Identity {
  kj::StringPtr name;
  kj::ArrayPtr<const kj::byte> credential;
};

struct BidOrder {
  kj::StringPtr auction;
  Identity bidder;
  std::int64_t amount = 0;
};

// What a request came to.
struct WriteResult {
  Message<schema::Outcome> message;
  // Null if the request never got an id, hence was never sent.
  kj::Maybe<RequestId> request;

  schema::Outcome::Reader outcome() const { return message.get(); }
};

// Where queries go that are not for one node only.  Every serving member answers with what is
// committed when it is asked (R10), so this is a matter of load and distance.
enum class ReadFrom {
  tail,
  anyNode,  // All serving members in turn, beginning anywhere.
};

using Answer = Message<schema::Auctioneer::Answer>;
using AuctionPage = Message<schema::Auctioneer::ListResults>;
using HistoryPage = Message<schema::History>;
using ChangesPage = Message<schema::Changes>;

// A client of one chain.
//
// Every call is tried again, with the same request id, until an outcome is known or its time is up
// (R7); so calls do not fail, but say what happened in their outcome:
//
// - outcomeUnknown: an attempt left this process and was never definitely answered.  It may still
// take
//   effect; asking again with the id that comes with it settles the matter.
// - unavailable: certainly not applied.  No attempt left, or all that did were answered "not run".
// - A request whose session was gone is run anew under a new id, but only if no attempt of it is
//   without an answer; else its outcome is unknown.
//
// Queries that nobody could answer in time say so with a QueryFailure `unavailable`.  So do,
// without waiting, those for one node that is no serving member of the chain.
//
// Calls may overlap freely; they share connections, the configuration and the session, which is
// opened by the first that needs one.  Dropping a call's promise abandons it, with an unknown
// outcome. When the client is destroyed, calls under way fail.  One event loop; one that is kept
// busy without a break has to look at its clock all the same (kj::WaitScope::setBusyPollInterval),
// as calls would else be measured by an old time.
class Client final {
public:
  struct Limits {
    // For a call, all its attempts included.
    kj::Duration timeout = 5 * kj::SECONDS;
    ReadFrom readFrom = ReadFrom::tail;
    // anyNode: how often queries in progress look for members that have come, or come back.
    kj::Duration lookForMembers = 2 * kj::SECONDS;
    ChainLocator::Limits locator;
    Retry::Limits retry;
  };

  // `seeds`: "host:port" of any nodes or masters.  All but `seeds` must outlive this object.
  Client(kj::Network& network, kj::Timer& timer, Random& random,
         kj::ArrayPtr<const kj::String> seeds);
  Client(kj::Network& network, kj::Timer& timer, Random& random,
         kj::ArrayPtr<const kj::String> seeds, Limits limits);
  ~Client() noexcept(false);
  KJ_DISALLOW_COPY(Client);

  // `retryOf`: not a new request but another try at that one, made by this process or an earlier
  // one. The rest must be as it was then.
  kj::Promise<WriteResult> bid(const BidOrder& order, kj::Maybe<RequestId> retryOf = nullptr);
  // As bid() for each in this order, at less cost: in one message, which limits them to a few ten
  // thousand.  Tried again, those without an outcome keep their order but may come after the
  // others.
  kj::Promise<kj::Array<WriteResult>> bids(kj::ArrayPtr<const BidOrder> orders);

  kj::Promise<WriteResult> create(kj::StringPtr auction, const Identity& owner,
                                  schema::Terms::Reader terms,
                                  kj::Maybe<RequestId> retryOf = nullptr);
  kj::Promise<WriteResult> close(kj::StringPtr auction, const Identity& owner,
                                 kj::Maybe<RequestId> retryOf = nullptr);
  kj::Promise<WriteResult> cancel(kj::StringPtr auction, const Identity& owner,
                                  kj::Maybe<RequestId> retryOf = nullptr);

  // `at`: the only node to ask, by its name in the newest configuration or its "host:port" there;
  // empty: as Limits::readFrom says.
  kj::Promise<Answer> result(kj::StringPtr auction, kj::StringPtr at = nullptr);
  kj::Promise<Answer> show(kj::StringPtr auction, kj::StringPtr at = nullptr);
  kj::Promise<AuctionPage> list(std::uint64_t after, std::uint32_t limit,
                                kj::StringPtr at = nullptr);
  kj::Promise<HistoryPage> history(kj::StringPtr auction, std::uint64_t fromVersion,
                                   std::uint32_t limit, kj::StringPtr at = nullptr);

  // One call of those that wait for something to happen; see watch.h.  Members take turns beginning
  // with `turn`, as those that are no members do not.
  kj::Promise<HistoryPage> watch(kj::StringPtr auction, std::uint64_t fromVersion,
                                 std::uint64_t turn);
  kj::Promise<ChangesPage> watchAll(std::uint64_t after, std::uint64_t turn);

  ChainLocator& locator() { return locator_; }

  // The id given to the newest request, for telling a user who stops waiting for it.
  kj::Maybe<RequestId> lastRequest() const { return lastRequest_; }

private:
  class Write;
  struct Opening;

  kj::Timer& timer;
  Random& random;
  Limits limits;
  ChainLocator locator_;
  kj::Maybe<kj::Own<Session>> session;
  kj::ForkedPromise<kj::Own<Opening>> opening = nullptr;
  bool isOpening = false;
  kj::Maybe<RequestId> lastRequest_;
  std::uint64_t turn = 0;  // Of the serving members, when they take turns.
  kj::TimePoint nextLook;
  kj::Canceler canceler;  // Of every promise given out.

  // What to send for the requests numbered `indexes` of a write; the outcomes come in that order.
  using SendWrites = kj::Function<kj::Promise<kj::Array<Message<schema::Outcome>>>(
      schema::Auctioneer::Client&, Write&, kj::ArrayPtr<const std::size_t> indexes)>;

  kj::Promise<kj::Array<WriteResult>> write(std::size_t count, kj::Maybe<RequestId> retryOf,
                                            SendWrites send);
  kj::Promise<WriteResult> writeOne(kj::Maybe<RequestId> retryOf, SendWrites send);
  bool numberNow(Write& write);
  kj::Promise<void> number(Write& write);
  kj::Promise<void> attempt(Write& write);
  kj::Promise<void> settle(Write& write);

  kj::Promise<kj::Own<Opening>> openSession(kj::TimePoint deadline);
  kj::Promise<kj::Own<Opening>> startOpening(kj::TimePoint deadline);

  // Calls `send` until it gives an answer that is not `unavailable`.
  template <typename T>
  kj::Promise<Message<T>> read(
      Route route, kj::Function<kj::Promise<Message<T>>(schema::Auctioneer::Client&)> send);
  Route routeOfQuery(kj::StringPtr at);

  // Why a call, which was for `at` only unless that is empty, came to nothing, for people.
  kj::String blame(kj::StringPtr problem, kj::StringPtr at = nullptr) const;
};

}  // namespace gavel::client
