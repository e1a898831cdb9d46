#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kj/array.h>

#include "master/membership.h"
#include "schema/master.capnp.h"

namespace gavel::master {

// A configuration and how long it took until all its members acted in it, from the suspicion that
// caused it.
struct Relink {
  Configuration configuration;
  std::int64_t duration = 0;  // Nanoseconds; 0: still awaited, or not seen.

  bool operator==(const Relink&) const = default;
};

// The newest start of a data directory that a master has let in (R11).
struct StoreRecord {
  std::uint64_t storeId = 0;
  std::uint64_t generation = 0;
  std::uint64_t incarnation = 0;

  bool operator==(const StoreRecord&) const = default;
};

// What a master keeps (master.capnp's MasterDocument).
//
// Invariant: epochs grow by one from each relink to the next, all have this cluster's id.
struct Document {
  // How many relinks are kept; older ones are history that nobody needs to act on.
  static constexpr std::size_t KEPT = 64;
  // How many data directories are remembered.
  static constexpr std::size_t STORES_KEPT = 1000;

  std::uint64_t clusterId = 0;      // 0: no chain has formed yet.
  std::vector<Relink> relinks;      // Oldest first; the last one's configuration is in force.
  std::vector<StoreRecord> stores;  // Those named last at the end.
  std::vector<std::string> drained;
  Bound bound = {};  // The highest that was known to be committed when this was stored (R11).

  bool operator==(const Document&) const = default;

  // The one in force; of epoch 0 if none was made yet.
  const Configuration& current() const;
  // This document with `configuration`, of the next epoch, in force.  Where that is an operator's
  // order that gives entries up, the bound becomes what it goes on from.
  Document with(Configuration configuration) const;

  // `record` is the newest of its data directory, and named in the configuration in force.  Above
  // STORES_KEPT those are forgotten that were named the longest ago, but for members.
  void remember(const StoreRecord& record);
  // Null if nothing is known of that data directory.
  const StoreRecord* findStore(std::uint64_t storeId) const;

  // As stored.  An empty array stands for a document that was never stored.
  kj::Array<kj::byte> encode() const;
  // Throws FAILED, saying what is wrong, if `bytes` are no document or break the invariant.
  static Document decode(kj::ArrayPtr<const kj::byte> bytes);
};

// What is stored beside the document, and renewed as bids go on (R11).  One of another cluster, or
// that cannot be read, is none: an older bound is as true as a newer one, and none says nothing.
kj::Array<kj::byte> encodeBound(std::uint64_t clusterId, const Bound& bound);
Bound decodeBound(std::uint64_t clusterId, kj::ArrayPtr<const kj::byte> bytes);

// What is kept of a reason that somebody else gives.
constexpr std::size_t MAX_REASON = 200;

// What a node that is asked, or registers, says of itself.
Candidate readCandidate(schema::NodeStatus::Reader status);

}  // namespace gavel::master
