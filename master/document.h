#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kj/array.h>

#include "master/membership.h"
#include "schema/master.capnp.h"

namespace gavel::master {

// A configuration, and the time from the suspicion that caused it until all its members acted in
// it.
struct Relink {
  Configuration configuration;
  std::int64_t duration = 0;  // Nanoseconds; 0: still awaited, or not measured.

  bool operator==(const Relink&) const = default;
};

// The newest start of a data directory that a configuration has named (R11).
struct StoreRecord {
  std::uint64_t storeId = 0;
  std::uint64_t generation = 0;
  std::uint64_t incarnation = 0;

  bool operator==(const StoreRecord&) const = default;
};

// What a master keeps (MasterDocument in master.capnp).
//
// Invariant: each relink's epoch is one above that of the relink before, and all have the id of
// this cluster.
struct Document {
  // How many relinks are kept; nobody acts on older ones.
  static constexpr std::size_t KEPT = 64;
  // How many data directories are remembered.
  static constexpr std::size_t STORES_KEPT = 1000;

  std::uint64_t clusterId = 0;       // 0: no chain has formed yet.
  std::vector<Relink> relinks;       // Oldest first; the last one's configuration is in force.
  std::vector<StoreRecord> stores;   // Those that a configuration named last are at the end.
  std::vector<std::string> drained;  // Names of nodes.
  Bound bound = {};                  // The highest that was known when this was stored (R11).

  bool operator==(const Document&) const = default;

  // Returns the configuration in force; its epoch is 0 if there is none yet.
  const Configuration& current() const;
  // Returns this document with `configuration`, which has the next epoch, in force.  If that is an
  // operator's order that gives entries up, the bound becomes the position that it goes on from.
  Document with(Configuration configuration) const;

  // Notes the newest start of a data directory, which the configuration in force names.  Above
  // STORES_KEPT the records that were named the longest ago are forgotten, except those of members.
  void remember(const StoreRecord& record);
  // Returns null if nothing is known of that data directory.
  const StoreRecord* findStore(std::uint64_t storeId) const;

  // Returns the stored form.  An empty array stands for a document that was never stored.
  kj::Array<kj::byte> encode() const;
  // Throws FAILED, saying what is wrong, if `bytes` are not a document or break the invariant.
  static Document decode(kj::ArrayPtr<const kj::byte> bytes);
};

// The note beside the document, which is renewed as bids go on (R11).  A note of another cluster,
// or one that cannot be read, reads as no bound: an older bound is as true as a newer one, and the
// lack of one claims nothing.
kj::Array<kj::byte> encodeBound(std::uint64_t clusterId, const Bound& bound);
Bound decodeBound(std::uint64_t clusterId, kj::ArrayPtr<const kj::byte> bytes);

// How many bytes are kept of a reason that somebody else gives.
constexpr std::size_t MAX_REASON = 200;

// Reads what a node says of itself, when it registers or is asked.
Candidate readCandidate(schema::NodeStatus::Reader status);

}  // namespace gavel::master
