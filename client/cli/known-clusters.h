#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gavel::client::cli {

// Remembers from one command to the next which cluster was found at a list of addresses (R11): an
// empty chain that comes up where a lost one was must not be taken for it.
//
// In $XDG_STATE_HOME/gavel/clusters, or ~/.local/state/gavel/clusters: a line for each list, the
// newest last, with the cluster's id and the addresses in order, separated by commas.  It is
// written as a whole, so that a reader never sees a part; of two processes that write at once one
// may be lost, which is then remembered by the next command.  A file that cannot be read or
// written, or a line that makes no sense, counts as nothing remembered: it is a help, and no proof.
class KnownClusters {
public:
  // 0: none is remembered.
  static std::uint64_t at(const std::vector<std::string>& addresses);
  // In place of what was remembered.
  static void remember(const std::vector<std::string>& addresses, std::uint64_t cluster);
  // All lists that have one of these: a new chain is started there on purpose.
  static void forget(const std::vector<std::string>& addresses);
};

}  // namespace gavel::client::cli
