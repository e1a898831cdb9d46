@0xf3a86b0c5d17e429;
# What nodes of a chain say to each other.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("gavel::schema");

using Auction = import "auction.capnp";
using Log = import "log.capnp";
using Snapshot = import "snapshot.capnp";
using Topology = import "topology.capnp";

const protocolVersion :UInt32 = 6;
# Raised when a message changes its meaning, or the records in snapshots their format (R14).

struct Header {
  # Is in every message between nodes, and is checked for each (R1).

  clusterId @0 :UInt64;
  epoch @1 :UInt64;

  sender @2 :UInt64;
  receiver @3 :UInt64;
  # Both are incarnations.
}

struct Rejection {
  # The reason why a message between nodes was not obeyed.

  reason @0 :Reason;
  detail @1 :Text;

  configuration @2 :Topology.Configuration;
  # With lowerEpoch: the newer one, for the sender to adopt.

  enum Reason {
    lowerEpoch @0;
    notAddressed @1;
    # The caller names another cluster or another incarnation, or is not the neighbour it
    # claims to be.

    busy @2;
    # Not now: the receiver is still adopting the configuration or bringing its log in line.  Try
    # again soon.  The answer comes at once, since the caller takes silence for a link that does not
    # work (R6).
  }
}

interface Peer {
  attach @0 (header :Header, protocolVersion :UInt32, configuration :Topology.Configuration,
             end :Log.Position, acks :Acks)
      -> (result :AttachResult);
  # Called by the predecessor, once per epoch and connection (R6), and by the tail on the syncing
  # member, if there is one (R9).  `configuration` is the one of header.epoch, stored by the master;
  # a receiver in a lower epoch adopts it first.  `end` is the caller's log end.

  struct AttachResult {
    union {
      attached :group {
        link @0 :Link;
        # A fresh one per attach.  An earlier one is dead from now on.

        end @1 :Log.Position;
        # The receiver's log end.  A serving receiver's end is in the caller's log, and what
        # follows it has to be sent.  With a syncing receiver, the last shared position is
        # sought first (Link.cut).

        checks @3 :Link;
        # The same link, used only for checks.  They must not wait for an append that waits for the
        # disk of a syncing member.
      }
      rejected @2 :Rejection;
    }
  }

  forward @1 (header :Header) -> (result :ForwardResult);
  # Called by a node that has a client's call for the head or the tail.  Returns an Auctioneer whose
  # calls the receiver answers itself, or refuses (`unavailable`) where that is not its role.  It
  # never forwards them again.

  struct ForwardResult {
    union {
      auctioneer @0 :Auction.Auctioneer;
      rejected @1 :Rejection;
    }
  }

  reportCommits @2 (header :Header) -> (result :ReportResult);
  # Called by the tail on the head, where they are not neighbours, once per epoch
  # and connection (R5).

  struct ReportResult {
    union {
      commits @0 :Commits;
      # A fresh one per call.  An earlier one is dead from now on.

      rejected @1 :Rejection;
    }
  }

  promise @3 (clusterId :UInt64, storeId :UInt64, configuration :Topology.Configuration,
              epoch :UInt64, reign :UInt64, released :UInt64) -> (result :PromiseResult);
  # Called by a master that makes the store of a lost one anew (R3), on whoever runs on that
  # data directory: "My newest configuration is this one; I adopt nothing below `epoch`, and of
  # that epoch only what the master of this reign has made."  The promise is durable before it
  # is answered.  A node with an older configuration adopts this one first, unless it has
  # promised not to.
  #
  # `released` is the epoch of the node's own configuration, if the caller has found a member of it
  # in a later epoch below the one promised.  Then not all members can have given that promise, so
  # it binds nobody.  Otherwise 0.

  struct PromiseResult {
    union {
      promised @0 :Topology.NodeStatus;
      # The status at the moment of the promise.

      newer @1 :Topology.Configuration;
      # The node has a newer configuration than the caller knows.

      refused @2 :Text;
      # Why it refused, for the operator.
    }
  }
}

interface Commits {
  # From the tail to the head, within one epoch.  The same numbers come by way of the nodes between
  # them as well.

  committed @0 (header :Header, commit :UInt64) -> stream;
  # As in Acks.
}

interface Link {
  # From the predecessor to the successor, within one epoch.

  append @0 (header :Header, batches :List(Data), durable :UInt64, commit :UInt64) -> stream;
  # Entries in order (framing: Batch of log.capnp), each following the receiver's log end.
  # `durable` is the index up to which every node upstream, the caller included, is durable (R5).
  # Without batches it is only the numbers.  `commit` is what the tail has committed; it is 0 except
  # for a syncing member.  Returns once the entries are queued; a refusal fails the link.

  check @1 (header :Header, padding :Data) -> ();
  # Returns at once: everything that was sent before it has come.  The predecessor calls it now and
  # then (R6), since a connection that has gone silent does not break by itself.  On an idle link it
  # carries 64 KiB of padding each second, since a path may carry small packets only.

  cut @2 (header :Header, position :Log.Position) -> (result :CutResult);
  # Called on a syncing member, before anything is appended (R9).  `position` is the highest one in
  # the caller's log that may be in the receiver's.  If it is there, the receiver drops everything
  # after it, and answers once that is durable; its durable index has fallen with it.

  struct CutResult {
    union {
      shared @0 :Void;
      # `position` is now the receiver's log end.

      candidate @1 :Log.Position;
      # `position` is not there.  This is the receiver's highest position that may be in the
      # caller's log; its index or its epoch is below that of `position`.
    }
  }

  install @3 (header :Header, position :Log.Position) -> (sink :Snapshot.SnapshotSink);
  # Called on a syncing member whose log ends before the caller's begins.  The receiver drops its
  # whole state and log, and takes a snapshot of committed state as of `position`.  Its log begins
  # there once `sink` is finished.

  confirm @4 (header :Header) -> (commit :UInt64);
  # Chain confirm, downwards (R10).  Returns the tail's commit index once every node from the
  # receiver to the tail, and the joiner if the tail gates one, has said that it is still in this
  # epoch.  A tail that has not passed its barrier makes the caller wait.  A syncing member only
  # says that it is still here; `commit` then means nothing.
}

interface Acks {
  # From the successor to the predecessor, within one epoch.

  committed @0 (header :Header, commit :UInt64) -> stream;
  # Every entry up to here is durable on every serving member.

  persisted @2 (header :Header, durable :UInt64) -> stream;
  # From a syncing member: up to where it has the log on its disk (R9).

  refused @1 (header :Header, detail :Text) -> ();
  # The receiver has given the link up, and takes nothing more on it.  Attach again.  (A caller
  # notices that a streaming call failed only at the next one.)

  confirm @3 (header :Header) -> ();
  # Chain confirm, upwards (R10).  Returns once every node from the receiver to the head has said
  # that it is still in this epoch.

  check @4 (header :Header, padding :Data) -> ();
  # As in Link, but by the successor: each end watches the direction in which it sends.
}

interface NodeService extends(Auction.Auctioneer, Topology.Topology, Peer, Snapshot.SnapshotSource) {
  # Bootstrap interface of a node.
}
