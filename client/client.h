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

// Who asks.  A call copies it before it returns its promise.
struct Identity {
  kj::StringPtr name;
  kj::ArrayPtr<const kj::byte> credential;
};

struct BidOrder {
  kj::StringPtr auction;
  Identity bidder;
  std::int64_t amount = 0;
};

// The result of a request.
struct WriteResult {
  Message<schema::Outcome> message;
  // Null if the request never got an id, hence was never sent.
  kj::Maybe<RequestId> request;

  schema::Outcome::Reader outcome() const { return message.get(); }
};

// Where queries go that are not for one node only.  Every serving member answers with what is
// committed when it is asked (R10), so this is a matter of load and distance only.
enum class ReadFrom {
  tail,
  anyNode,  // All serving members in turn, starting at a random one.
};

using Answer = Message<schema::Auctioneer::Answer>;
using AuctionPage = Message<schema::Auctioneer::ListResults>;
using HistoryPage = Message<schema::History>;
using ChangesPage = Message<schema::Changes>;

// A client of one chain.
//
// Every call is tried again, with the same request id, until an outcome is known or its time is up
// (R7).  So calls do not fail, but report in their outcome what happened:
//
// - outcomeUnknown: an attempt left this process and never got a definite answer.  It may still
//   take effect.  Asking again with the returned id settles the matter.
// - unavailable: certainly not applied.  No attempt left, or all that left were answered "not run".
// - A request whose session is gone is run anew under a new id, but only if all its attempts were
//   answered.  Otherwise its outcome is unknown.
//
// Queries that nobody answers in time report a QueryFailure `unavailable`.  Queries for one node
// that is no serving member of the chain report it without waiting.
//
// Calls may overlap freely.  They share connections, the configuration and the session, which is
// opened by the first call that needs one.  Dropping a call's promise abandons the call, with an
// unknown outcome.  When the client is destroyed, calls under way fail.
//
// Use it from one event loop.  A loop that never idles needs a busy-poll interval
// (kj::WaitScope::setBusyPollInterval): otherwise its clock stands still, and deadlines are missed.
class Client final {
public:
  struct Limits {
    // The time limit of a call, all its attempts included.
    kj::Duration timeout = 5 * kj::SECONDS;
    ReadFrom readFrom = ReadFrom::tail;
    // anyNode: how often queries look for members that are new or back.
    kj::Duration lookForMembers = 2 * kj::SECONDS;
    ChainLocator::Limits locator;
    Retry::Limits retry;
  };

  // `seeds`: "host:port" of any nodes or masters; copied.  All the others must outlive this object.
  Client(kj::Network& network, kj::Timer& timer, Random& random,
         kj::ArrayPtr<const kj::String> seeds);
  Client(kj::Network& network, kj::Timer& timer, Random& random,
         kj::ArrayPtr<const kj::String> seeds, Limits limits);
  ~Client() noexcept(false);
  KJ_DISALLOW_COPY(Client);

  // `retryOf`: the id of an earlier request, of this process or another one.  This call is then
  // another try at that request, and all other arguments must be as they were.
  kj::Promise<WriteResult> bid(const BidOrder& order, kj::Maybe<RequestId> retryOf = nullptr);
  // As bid() for each in this order, but cheaper: in one message, which limits them to a few ten
  // thousand.  If some get no outcome and are tried again, they keep their order but may run after
  // the others.
  kj::Promise<kj::Array<WriteResult>> bids(kj::ArrayPtr<const BidOrder> orders);

  kj::Promise<WriteResult> create(kj::StringPtr auction, const Identity& owner,
                                  schema::Terms::Reader terms,
                                  kj::Maybe<RequestId> retryOf = nullptr);
  kj::Promise<WriteResult> close(kj::StringPtr auction, const Identity& owner,
                                 kj::Maybe<RequestId> retryOf = nullptr);
  kj::Promise<WriteResult> cancel(kj::StringPtr auction, const Identity& owner,
                                  kj::Maybe<RequestId> retryOf = nullptr);

  // `at`: the only node to ask, by its name in the newest configuration or its "host:port" there.
  // If it is empty, Limits::readFrom decides.
  kj::Promise<Answer> result(kj::StringPtr auction, kj::StringPtr at = nullptr);
  kj::Promise<Answer> show(kj::StringPtr auction, kj::StringPtr at = nullptr);
  kj::Promise<AuctionPage> list(std::uint64_t after, std::uint32_t limit,
                                kj::StringPtr at = nullptr);
  kj::Promise<HistoryPage> history(kj::StringPtr auction, std::uint64_t fromVersion,
                                   std::uint32_t limit, kj::StringPtr at = nullptr);

  // One call that waits for something to happen; see watch.h.  The attempt number n (from 0) goes
  // to serving member `turn` + n, modulo their number.
  kj::Promise<HistoryPage> watch(kj::StringPtr auction, std::uint64_t fromVersion,
                                 std::uint64_t turn);
  kj::Promise<ChangesPage> watchAll(std::uint64_t after, std::uint64_t turn);

  ChainLocator& locator() { return locator_; }

  // The id of the newest request, for users who stop waiting for it.
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
  std::uint64_t turn = 0;  // The serving member whose turn it is, modulo their number.
  kj::TimePoint nextLook;
  kj::Canceler canceler;  // Of all promises given out.

  // Sends the requests numbered `indexes` of a write.  The outcomes have the same order.
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

  // Calls `send` until it gives an answer other than `unavailable`.
  template <typename T>
  kj::Promise<Message<T>> read(
      Route route, kj::Function<kj::Promise<Message<T>>(schema::Auctioneer::Client&)> send);
  Route routeOfQuery(kj::StringPtr at);

  // Why a call failed, for people.  `at`: the only node that it could go to; empty: any.
  kj::String blame(kj::StringPtr problem, kj::StringPtr at = nullptr) const;
};

}  // namespace gavel::client
