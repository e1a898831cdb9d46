#pragma once

#include "base/weak.h"
#include "schema/auction.capnp.h"
#include "tail/queries.h"
#include "wire/requests.h"

namespace gavel::node {

class Node;

// The most bids in one call of `bids`.  The size on the wire bounds nothing: empty structs take
// none.
constexpr unsigned MAX_BIDS_PER_CALL = 50'000;

// Throws FAILED, before anything is run, if there are more.
void checkCount(schema::Auctioneer::BidsParams::Reader params);

// Answers what is this node's own job in the present configuration: bids as head, queries as any
// serving member.  Refuses everything else as `unavailable`, and never forwards.
class LocalDesk final: public schema::Auctioneer::Server {
public:
  explicit LocalDesk(kj::Own<Weak<Node>> node): weak(kj::mv(node)) {}

  kj::Promise<void> openSession(OpenSessionContext context) override;
  kj::Promise<void> bid(BidContext context) override;
  kj::Promise<void> bids(BidsContext context) override;
  kj::Promise<void> create(CreateContext context) override;
  kj::Promise<void> close(CloseContext context) override;
  kj::Promise<void> cancel(CancelContext context) override;
  kj::Promise<void> result(ResultContext context) override;
  kj::Promise<void> show(ShowContext context) override;
  kj::Promise<void> list(ListContext context) override;
  kj::Promise<void> history(HistoryContext context) override;
  kj::Promise<void> watch(WatchContext context) override;
  kj::Promise<void> watchAll(WatchAllContext context) override;

private:
  kj::Own<Weak<Node>> weak;

  // Throws DISCONNECTED while the process is stopping.
  Node& node();
  // Submits one request and writes its outcome.
  template <typename Context>
  kj::Promise<void> decide(Context context, auction::Request request);
  // Turns a failure with OVERLOADED into results that say `unavailable`.
  template <typename Context, typename Answer>
  kj::Promise<void> unlessUnavailable(Context context, Answer answer);
  // Runs `read` once this node may answer queries.
  template <typename Context, typename Read>
  kj::Promise<void> query(Context context, Read read);
};

}  // namespace gavel::node
