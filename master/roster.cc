#include "master/roster.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <kj/debug.h>

#include "base/duration.h"
#include "master/reachable.h"
#include "schema/peer.capnp.h"

namespace gavel::master {
namespace {

constexpr std::size_t MAX_NAME = 64;
constexpr std::size_t MAX_ADDRESS = 280;  // A host name has 253 at most; a port follows.

bool isPrintable(const std::string& text) {
  for (char c: text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f') return false;
  }
  return true;
}

kj::Maybe<kj::String> whyMalformed(const Member& member) {
  if (member.name.empty() || member.name.size() > MAX_NAME || !isPrintable(member.name)) {
    return kj::str("a node's name has 1 to ", MAX_NAME,
                   " bytes, without spaces or control characters: choose another --name");
  }
  if (member.address.empty() || member.address.size() > MAX_ADDRESS ||
      !isPrintable(member.address)) {
    return kj::str("the address of node ", member.name.c_str(),
                   " is none that others could reach: expected HOST:PORT");
  }
  if (namesNoPlace(member.address)) {
    return kj::str("node ", member.name.c_str(), " advertises ", member.address.c_str(),
                   ", where nobody else can reach it: start it with --advertise HOST:PORT, its "
                   "address for other machines");
  }
  if (member.incarnation == 0 || member.storeId == 0) {
    return kj::str("node ", member.name.c_str(), " has no incarnation or no store id");
  }
  return nullptr;
}

bool isOlderCopy(const Candidate& candidate, const StoreRecord& newest) {
  if (candidate.member.incarnation == newest.incarnation) return false;
  // If both are 0, the node does not count its starts.
  return candidate.generation < newest.generation ||
         (candidate.generation == newest.generation && newest.generation != 0);
}

}  // namespace

Node& Roster::insert(Node&& node) {
  auto incarnation = node.member().incarnation;
  return nodes.insert_or_assign(incarnation, kj::mv(node)).first->second;
}

Node* Roster::find(std::uint64_t incarnation) {
  auto found = nodes.find(incarnation);
  return found == nodes.end() ? nullptr : &found->second;
}

const Node* Roster::find(std::uint64_t incarnation) const {
  auto found = nodes.find(incarnation);
  return found == nodes.end() ? nullptr : &found->second;
}

kj::Maybe<kj::String> whyRefused(const Application& application, const Configuration& current,
                                 const Member* namesake, kj::Maybe<StoreRecord> newest,
                                 const Bound& bound) {
  auto& member = application.candidate.member;
  auto ours = schema::PROTOCOL_VERSION;
  if (application.protocolVersion != ours) {
    return kj::str("this master speaks version ", ours, " of the protocol and the node version ",
                   application.protocolVersion, ": run the same release of Gavel on both");
  }
  KJ_IF_MAYBE (why, whyMalformed(member)) {
    return kj::mv(*why);
  }
  if (application.candidate.clusterId != 0 &&
      application.candidate.clusterId != current.clusterId) {
    if (current.clusterId == 0) {
      return kj::str("the data directory of node ", member.name.c_str(), " belongs to cluster ",
                     kj::hex(application.candidate.clusterId),
                     ", and this master has formed none yet: connect the node to the master of its "
                     "cluster, or start this one with that cluster's master data");
    }
    return kj::str("the data directory of node ", member.name.c_str(), " belongs to cluster ",
                   kj::hex(application.candidate.clusterId), ", this master leads cluster ",
                   kj::hex(current.clusterId),
                   ": connect the node to its own master, or start it with an empty directory");
  }
  // A node in a lower epoch adopts this reign with the configuration that is announced to it.
  if (application.epoch >= current.epoch && application.reign != current.reign &&
      current.epoch != 0) {
    return kj::str("node ", member.name.c_str(), " follows the master of reign ",
                   kj::hex(application.reign), ", in epoch ", application.epoch,
                   ", and this one is of reign ", kj::hex(current.reign), ", in epoch ",
                   current.epoch,
                   ": the store of a master that was lost has been made anew (gavel-master "
                   "--rebuild), and one of the two is over: stop the one that the chain does not "
                   "follow, and do not start it again");
  }
  KJ_IF_MAYBE (record, newest) {
    if (isOlderCopy(application.candidate, *record)) {
      bool emptiable = !bound.within(application.candidate.end) || bound.at.index == 0;
      return kj::str(
          "the data directory of node ", member.name.c_str(), " is an older copy (started ",
          application.candidate.generation, " times, while this master knows of ",
          record->generation,
          " starts): it must not be started, as it may lack what was acknowledged; ",
          emptiable ? "start the node with an empty directory"
                    : "its log ends at or after all that is known to be committed, so keep it; "
                      "start the node with the directory that it ran with last, or with another, "
                      "empty one");
    }
  }
  bool isKnown = std::any_of(current.members.begin(), current.members.end(),
                             [&](const Member& each) { return each.storeId == member.storeId; });
  if (current.epoch != 0 && application.candidate.restored() && !isKnown) {
    return kj::str("node ", member.name.c_str(),
                   " was restored from a backup, and the cluster of this master has a state of its "
                   "own: start the node with an empty directory, or let it found a cluster with "
                   "another master");
  }
  if (current.contains(member.incarnation)) return nullptr;
  if (namesake != nullptr) {
    return kj::str("the name ", member.name.c_str(), " is in use by a live node at ",
                   namesake->address.c_str(),
                   ", which has another data directory: give this node another --name, or stop "
                   "that one");
  }
  return nullptr;
}

Pace readPace(schema::Pace::Reader reader) {
  auto duration = [](std::int64_t nanoseconds) {
    return kj::max(nanoseconds, std::int64_t{0}) * kj::NANOSECONDS;
  };
  return {reader.getCount(), duration(reader.getSum()), duration(reader.getMedian())};
}

kj::Maybe<kj::String> whyClockRefused(const Application& application, const Configuration& current,
                                      std::int64_t ours, kj::Duration maxSkew) {
  auto& member = application.candidate.member;
  if (current.contains(member.incarnation) || magnitude(application.skew) <= maxSkew) {
    return nullptr;
  }
  return kj::str("the clock of node ", member.name.c_str(), " says ", formatUtc(application.clock),
                 ", ", formatDuration(magnitude(application.skew)),
                 application.skew > 0 ? " ahead of" : " before", " that of its master, which says ",
                 formatUtc(ours), "; more than ", formatDuration(maxSkew),
                 " (--max-skew) is too much: set the wrong one right (NTP), and the node, which "
                 "tries on, is let in");
}

std::int64_t skewOf(std::int64_t clock, std::int64_t reference) {
  std::int64_t skew = 0;
  if (!__builtin_sub_overflow(clock, reference, &skew)) return skew;
  return clock > reference ? std::numeric_limits<std::int64_t>::max()
                           : std::numeric_limits<std::int64_t>::min();
}

kj::Duration magnitude(std::int64_t skew) {
  constexpr auto LARGEST = std::numeric_limits<std::int64_t>::max();
  std::int64_t absolute = skew >= 0 ? skew : (skew < -LARGEST ? LARGEST : -skew);
  return absolute * kj::NANOSECONDS;
}

}  // namespace gavel::master
