#pragma once

#include <optional>
#include <vector>

#include <kj/async.h>

#include "auction/auction.h"
#include "chain/chain-time.h"
#include "chain/replica.h"
#include "schema/auction.capnp.h"
#include "wire/views.h"

namespace gavel::tail {

// Answers queries from the auction state, at any serving member.  An answer shows only what is
// committed (R5), and at least what was committed when the query arrived (R10).
//
// Every query goes through confirmed() first, the one place that decides whether this node may
// answer, and from which index on.
class Queries {
public:
  using Answer = schema::Auctioneer::Answer;

  Queries(chain::Replica& replica, const chain::ChainTime& time): replica(replica), time(time) {}
  KJ_DISALLOW_COPY(Queries);

  // Resolves when this node may answer queries that arrived before the call, to the epoch in which
  // it may.  Fails with OVERLOADED if it may not answer now, or if too many queries wait.
  kj::Promise<std::uint64_t> confirmed();

  // These answer from the state as it is, and resolve once all that they show is committed.  They
  // fail with OVERLOADED if that does not happen in `epoch`, to which confirmed() has resolved.
  // What is in the store only is read from there: it is committed, and does not change.
  kj::Promise<void> result(std::uint64_t epoch, kj::StringPtr auction, Answer::Builder answer);
  kj::Promise<void> show(std::uint64_t epoch, kj::StringPtr auction, Answer::Builder answer);
  kj::Promise<void> list(std::uint64_t epoch, schema::Auctioneer::ListParams::Reader params,
                         schema::Auctioneer::ListResults::Builder results);
  kj::Promise<void> history(std::uint64_t epoch, kj::StringPtr auction, std::uint64_t fromVersion,
                            std::uint32_t limit, schema::History::Builder results);

  // Returns an auction's latest version, committed or not; null if there is no such auction.
  std::optional<std::uint64_t> latestVersion(kj::StringPtr auction);

private:
  chain::Replica& replica;
  const chain::ChainTime& time;
  kj::Canceler canceler;  // For what still reads the store.

  wire::Basis basis() const {
    return {replica.state().lastIndex(), replica.state().lastStamp(), time.now()};
  }
  template <typename Use>
  bool withAuction(std::string_view name, Use use);
  kj::Promise<void> answer(std::uint64_t epoch, kj::StringPtr name, Answer::Builder answer,
                           bool withTerms);
};

// Writes that there is no answer now: the caller may try again.
void writeUnavailable(schema::QueryFailure::Builder failure, kj::StringPtr detail);

}  // namespace gavel::tail
