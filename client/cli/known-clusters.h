#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gavel::client::cli {

// Remembers from one command to the next which cluster was found at a list of addresses (R11).  An
// empty chain that starts at the addresses of a lost one must not be taken for it.
//
// The file is $XDG_STATE_HOME/gavel/clusters, or ~/.local/state/gavel/clusters.  It has a line for
// each list, the newest last, with the cluster's id and the addresses in order, separated by
// commas.  It is written as a whole, so a reader never sees a part.  If two processes write at
// once, one entry may be lost; the next command remembers it again.  If the file cannot be read or
// written, or a line makes no sense, nothing is remembered: it is a help, and no proof.
class KnownClusters {
public:
  // The cluster that is remembered for these addresses; 0: none.
  static std::uint64_t at(const std::vector<std::string>& addresses);
  // Replaces what was remembered for these addresses.
  static void remember(const std::vector<std::string>& addresses, std::uint64_t cluster);
  // Forgets all lists that have one of these addresses, for a new chain that is started there on
  // purpose.
  static void forget(const std::vector<std::string>& addresses);
};

}  // namespace gavel::client::cli
