@0xc19b7e34f0a2d586;
# The configuration master: who registers with it, and what it keeps.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("gavel::schema");

using Topology = import "topology.capnp";

interface Registry {
  register @0 (protocolVersion :UInt32, clusterId :UInt64, status :Topology.NodeStatus,
               empty :Bool, control :NodeControl)
      -> (result :RegisterResult);
  # By every node when it has connected, and again whenever it has reconnected.  `clusterId` is 0 for a
  # data directory that belongs to no cluster yet, `empty` that it holds no entries.

  struct RegisterResult {
    union {
      registered :group {
        registration @0 :Registration;
        # Dropping it, or losing the connection, is a reason to suspect the node.

        configuration @1 :Topology.Configuration;
        # The newest; epoch 0 while the chain has not formed.

        heartbeatInterval @2 :Int64;
        # Nanoseconds between heartbeats, as the master wants them.

        linkPatience @5 :Int64;
        # Nanoseconds without progress after which a link does not work (R6), unless the node's operator
        # says otherwise.
      }
      refused @3 :Text;
      # For good: why, and what to do.  (Other cluster, name in use, protocol version.)

      notNow @4 :Text;
      # Likewise, but it may be otherwise in a moment: ask again.  (Not found at its
      # address; a clock that is wrong.)
    }
  }
}

interface Registration {
  heartbeat @0 (status :Topology.NodeStatus) -> ();

  report @1 (epoch :UInt64, suspect :UInt64, reason :Text) -> ();
  # This node cannot reach its neighbour, whose incarnation is `suspect`.  The master checks for itself.

  gate @2 (epoch :UInt64, joiner :UInt64) -> ();
  # From the tail of `epoch`: it commits nothing any more that the syncing member, whose incarnation is
  # `joiner`, has not on disk (R9).  Told again until a later epoch comes.

  link @3 (report :LinkReport) -> ();
  # What this node sends to a neighbour does not arrive, or is not answered; or it is again (R6).  Told
  # again and again while it lasts.
}

struct LinkReport {
  # Of one direction of a link, by the end that sends.

  epoch @0 :UInt64;
  peer @1 :UInt64;
  # Incarnation of the other end.

  direction @2 :Direction;
  state @3 :State;

  since @4 :Int64;
  # Nanoseconds ago.

  gating @5 :Bool;
  # This node is the tail, and commits nothing that `peer`, which joins, has not on its disk (R9).

  enum Direction {
    toSuccessor @0;
    toPredecessor @1;
  }

  enum State {
    works @0;
    # Again.

    pathDead @1;
    processSlow @2;
    # See chain/link-progress.h.
  }
}

interface NodeControl {
  # How the master reaches a registered node.

  configure @0 (configuration :Topology.Configuration) -> ();
  # Returns when the node has made it durable and acts in it, or already acts in a later one.

  acceptClock @1 (limit :Int64) -> (refused :Text);
  # To the head: an operator says that its clock is right, if it is not above `limit` (ns since the Unix
  # epoch), though it is far above the log's newest entry (R15).  Returns when an entry with that time
  # is committed, so that every later head has it, or with the reason why there will be none.
}

struct BoundRecord {
  # What a master keeps beside its document, and renews as bids go on (R11).

  clusterId @0 :UInt64;
  bound @1 :Topology.Bound;
}

struct MasterDocument {
  # What a master keeps, in one value that is replaced by compare-and-swap (R3).

  formatVersion @0 :UInt32 = 1;

  relinks @1 :List(Topology.Relink);
  # The newest configurations, oldest first; the last is in force.  Empty: none was made yet.

  clusterId @2 :UInt64;

  stores @3 :List(StoreRecord);
  # Every data directory that was ever named in a configuration, as long as it is remembered.

  drained @4 :List(Text);
  # Names of nodes that an operator has drained: they are not let in again until added.

  bound @5 :Topology.Bound;
  # What was known to be committed when this was stored, as serving members told it (R11).
}

struct StoreRecord {
  # The newest start of a data directory that the master has let in.  An older copy of the directory
  # shows a lower generation, or the same one under another incarnation (R11).

  storeId @0 :UInt64;
  generation @1 :UInt64;
  incarnation @2 :UInt64;
}

interface Operator {
  # What operators tell a master.  Every method decides or refuses at once, with words for the operator,
  # and what it has decided is carried out from then on.

  add @0 (node :Text) -> (result :Result);
  # Lets a registered node join now, whatever the target length, and though it was drained.

  drain @1 (node :Text) -> (result :Result);
  # Takes a node out of the chain without waiting for a suspicion, and keeps it out until it is added.

  replace @2 (old :Text, new :Text) -> (result :Result);
  # Lets `new` join, and drains `old` as soon as `new` serves.

  recover @3 (node :Text, epoch :UInt64) -> (result :Result);
  # After a total outage: goes on with `node` alone, though others may hold entries that it does not
  # (R11).  Loses what only they have.  `epoch` is the one that the operator has seen, and must still be
  # the newest.

  acceptClock @4 (limit :Int64) -> (result :Result);
  # The head is to go on by its clock, as far as that is not above `limit`, though it is far above the
  # log's newest entry (R15; NodeControl.acceptClock).  If the head is another one meanwhile, the order
  # is refused, or its fate is unknown; then it may be given again.

  forget @5 (node :Text) -> (result :Result);
  # Of a node that is gone for good: it is no longer among nodes(), nor among the drained.  Not for
  # members, nor for nodes that are heard.  What is kept against older copies of its data directory
  # stays (R11).

  struct Result {
    union {
      done @0 :Text;
      refused @1 :Text;
    }
  }
}

interface MasterService extends(Registry, Topology.Topology, Operator) {
  # Bootstrap interface of a master.
}
