#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "master/document.h"

// How the store of a master is made anew when it is lost for good (R3).  Pure: no clock, I/O or
// promises.
//
// The lost master may have decided more than any node shows, and it may not be lost at all.  So
// each serving and syncing member of a configuration n, known by store id, is asked in one round
// for a durable promise: "my newest is n; I adopt nothing below epoch F, and of F only what this
// reign has made".  All of them have to promise.  Then epoch F with the same members follows n.
//
// Nothing is in force between n and F:
//
// - A configuration m between n and F has at least one serving member.  Its serving members are
//   stores that served in the configuration before m, or a joiner that the tail of that one gated
//   while it acted in it (R9).  Followed back to n, all of them are stores of members of n.  These
//   have promised and act in nothing between n and F.  So none of them gates, commits or answers
//   anything there.  A joiner of n counts, as the tail may have gated it in n already.
// - Each round has an epoch F of its own, as a node gives a later promise only for a higher F.  So
//   if two masters are rebuilt at a time, at most one gets all promises for its F.  A rebuild that
//   is done shows by its F, which is newer than n.
//
// A promise that not all have given does not bind for ever.  A node that has promised at k does not
// adopt a configuration m above k, even if others are in m.
//
// - If a member of k is in an epoch between k and the promised one, that member never promised at
//   k, and never will.  The first node is *released*, and adopts m (Peer.promise).
// - If no member of k is, m is in force nowhere.  All members of k can still say that their newest
//   is k, and the round begins at k.
namespace gavel::master {

// How far F is above every epoch that a node shows or has promised.  No master makes so many
// epochs.
constexpr std::uint64_t REBUILD_STEP = std::uint64_t{1} << 20;

// The answer of a process that was asked.
struct Heard {
  Candidate candidate;  // The process as it runs now.
  std::uint64_t durableEpoch = 0;
  Configuration newest;
  std::string address;  // The address at which it answered.
};

struct RebuildPlan {
  // Why the questions cannot be asked yet, for the operator; empty: they can.
  std::string awaited;

  struct Question {
    std::uint64_t storeId;
    std::string name;
    std::string address;
    std::uint64_t released;  // The epoch k of a promise that is released; 0: none.
  };
  Configuration base;  // n
  std::vector<Question> questions;
  std::uint64_t epoch = 0;      // F
  std::vector<Member> givenUp;  // Members of n, on the operator's order.
};

// Returns which processes to ask for which promises.  `unheard` says, by address, why nobody was
// heard there.  `without` are the names of members that the operator gives up (R11).
RebuildPlan planRebuild(const std::vector<Heard>& heard,
                        const std::map<std::string, std::string>& unheard,
                        const std::vector<std::string>& without);

struct Rebuilt {
  std::string refused;  // Why there is no document yet, for the operator; empty: there is one.
  Document document;
};

// Returns the document after all that were asked have promised; `promised` is how they described
// themselves then.  If members are given up, it is an operator's order that goes on from one source
// alone (R11): the serving member with the longest log among those that were asked and are not
// damaged.  `reign` is not 0.
Rebuilt rebuiltDocument(const RebuildPlan& plan, const std::vector<Candidate>& promised,
                        std::uint64_t reign);

// Returns what nobody but the lost master knew, line by line for the operator.
std::vector<std::string> whatIsForgotten();

}  // namespace gavel::master
