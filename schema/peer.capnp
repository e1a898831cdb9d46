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
  # In every message between nodes, and checked for each (R1).

  clusterId @0 :UInt64;
  epoch @1 :UInt64;

  sender @2 :UInt64;
  receiver @3 :UInt64;
  # Incarnations.
}

struct Rejection {
  # Why a message between nodes was not obeyed.

  reason @0 :Reason;
  detail @1 :Text;

  configuration @2 :Topology.Configuration;
  # lowerEpoch: the newer one, for the sender to adopt.

  enum Reason {
    lowerEpoch @0;
    notAddressed @1;
    # Other cluster, other incarnation, or not the neighbour it claims to be.

    busy @2;
    # Not now (still adopting the configuration, or bringing its log in line): try again soon.  Told at
    # once, as the caller takes silence for a link that does not work (R6).
  }
}

interface Peer {
  attach @0 (header :Header, protocolVersion :UInt32, configuration :Topology.Configuration,
             end :Log.Position, acks :Acks)
      -> (result :AttachResult);
  # By the predecessor, once per epoch and connection (R6); by the tail to the syncing member, if there
  # is one (R9).  `configuration` is the one of header.epoch, stored by the master: a receiver that is
  # behind adopts it first.  `end` is the caller's log end.

  struct AttachResult {
    union {
      attached :group {
        link @0 :Link;
        # A fresh one per attach; an earlier one is dead from now on.

        end @1 :Log.Position;
        # The receiver's log end.  A serving receiver's is in the caller's log, and what follows is to
        # be sent; with a syncing one the last shared position is sought first (Link.cut).

        checks @3 :Link;
        # The same link, to be asked for checks only: they must not wait for an append that waits for
        # the disk of a syncing member.
      }
      rejected @2 :Rejection;
    }
  }

  forward @1 (header :Header) -> (result :ForwardResult);
  # For a node that has a client's call for the head or the tail: an Auctioneer whose calls the
  # receiver answers itself, or refuses (`unavailable`) where that is not its role, but never forwards
  # again.

  struct ForwardResult {
    union {
      auctioneer @0 :Auction.Auctioneer;
      rejected @1 :Rejection;
    }
  }

  reportCommits @2 (header :Header) -> (result :ReportResult);
  # By the tail to the head, where they are not neighbours, once per epoch and connection (R5).

  struct ReportResult {
    union {
      commits @0 :Commits;
      # A fresh one per call; an earlier one is dead from now on.

      rejected @1 :Rejection;
    }
  }

  promise @3 (clusterId :UInt64, storeId :UInt64, configuration :Topology.Configuration,
              epoch :UInt64, reign :UInt64, released :UInt64) -> (result :PromiseResult);
  # By a master that makes the store of a lost one anew (R3), to whoever runs on that data directory:
  # "My newest configuration is this one; I adopt nothing below `epoch`, and of that epoch only what
  # the master of this reign has made."  Durable before it is answered.  A node with an older
  # configuration adopts this one first, unless it has promised not to.  `released` is the epoch of the
  # node's own configuration if the caller has found a member of that in a later one, below the epoch
  # that was promised: so that promise cannot have been given by all, and binds nobody.  0 otherwise.

  struct PromiseResult {
    union {
      promised @0 :Topology.NodeStatus;
      # As of then.

      newer @1 :Topology.Configuration;
      # It has a newer one than the caller knows.

      refused @2 :Text;
      # Why; for the operator.
    }
  }
}

interface Commits {
  # From tail to head, within one epoch: what comes by way of the nodes between them as well.

  committed @0 (header :Header, commit :UInt64) -> stream;
  # As in Acks.
}

interface Link {
  # From predecessor to successor, within one epoch.

  append @0 (header :Header, batches :List(Data), durable :UInt64, commit :UInt64) -> stream;
  # Entries in order (framing: log.capnp's Batch), each following the receiver's log end, and the lowest
  # index that is durable on every node upstream, the caller included (R5).  No batches: only the numbers.
  # Returns once queued; a refusal fails the link.  `commit`, to a syncing member only: what the tail has
  # committed; 0 otherwise.

  check @1 (header :Header, padding :Data) -> ();
  # Returns at once: all that was sent before it has come.  The predecessor calls it now and then (R6),
  # since a connection that has gone silent does not break by itself; each second of an idle link with
  # 64 KiB of padding, as a path may carry small packets only.

  cut @2 (header :Header, position :Log.Position) -> (result :CutResult);
  # To a syncing member, before anything is appended (R9).  `position` is the highest one in the caller's
  # log that may be in the receiver's.  If it is there, the receiver drops all that follows it, and
  # answers once that is durable; its durable index has fallen with it.

  struct CutResult {
    union {
      shared @0 :Void;
      # `position` is now the receiver's log end.

      candidate @1 :Log.Position;
      # It is not there: this is the highest position of the receiver's that may be in the caller's log,
      # which is below `position`.
    }
  }

  install @3 (header :Header, position :Log.Position) -> (sink :Snapshot.SnapshotSink);
  # To a syncing member whose log ends before the caller's begins: it drops all it has, state and log, and
  # takes a snapshot of committed state as of `position`, where its log begins when `sink` is finished.

  confirm @4 (header :Header) -> (commit :UInt64);
  # Chain confirm, downwards (R10): returns once every node from the receiver to the tail has said that it
  # is still in this epoch, and the joiner as well if the tail gates one, with the tail's commit index.  A
  # tail that is behind its barrier makes the caller wait.  Of a syncing member: that it is still here;
  # `commit` means nothing then.
}

interface Acks {
  # From successor to predecessor, within one epoch.

  committed @0 (header :Header, commit :UInt64) -> stream;
  # Every entry up to here is durable on every serving member.

  persisted @2 (header :Header, durable :UInt64) -> stream;
  # From a syncing member: what it has on disk (R9).

  refused @1 (header :Header, detail :Text) -> ();
  # The receiver has given the link up and will take nothing more on it: attach again.  (A streaming
  # call that fails is noticed by its caller only at the next one.)

  confirm @3 (header :Header) -> ();
  # Chain confirm, upwards (R10): returns once every node from the receiver to the head has said that it
  # is still in this epoch.

  check @4 (header :Header, padding :Data) -> ();
  # As in Link, by the successor: each end watches the direction in which it sends.
}

interface NodeService extends(Auction.Auctioneer, Topology.Topology, Peer, Snapshot.SnapshotSource) {
  # Bootstrap interface of a node.
}
