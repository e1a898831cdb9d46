@0xc19b7e34f0a2d586;
# The configuration master: the nodes that register with it, and what it keeps.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("gavel::schema");

using Topology = import "topology.capnp";

interface Registry {
  register @0 (protocolVersion :UInt32, clusterId :UInt64, status :Topology.NodeStatus,
               empty :Bool, control :NodeControl)
      -> (result :RegisterResult);
  # Called by every node when it has connected, and again whenever it has reconnected.  `clusterId`
  # is 0 for a data directory that belongs to no cluster yet.  `empty`: it holds no entries.

  struct RegisterResult {
    union {
      registered :group {
        registration @0 :Registration;
        # Dropping it, or losing the connection, is a reason to suspect the node.

        configuration @1 :Topology.Configuration;
        # The newest one; epoch 0 while the chain has not formed.

        heartbeatInterval @2 :Int64;
        # Nanoseconds between heartbeats, as the master wants them.

        linkPatience @5 :Int64;
        # A link that makes no progress for as many nanoseconds does not work (R6), unless the
        # node's operator says otherwise.
      }
      refused @3 :Text;
      # The refusal is for good.  Says why, and what to do: other cluster, name in
      # use, protocol version.

      notNow @4 :Text;
      # As `refused`, but it may be otherwise in a moment, so ask again: the node was not found at
      # its address, or its clock is wrong.
    }
  }
}

interface Registration {
  heartbeat @0 (status :Topology.NodeStatus) -> ();

  report @1 (epoch :UInt64, suspect :UInt64, reason :Text) -> ();
  # This node cannot reach its neighbour, whose incarnation is `suspect`.  The master
  # checks for itself.

  gate @2 (epoch :UInt64, joiner :UInt64) -> ();
  # From the tail of `epoch`: it commits nothing any more that the syncing member, whose incarnation
  # is `joiner`, does not have on its disk (R9).  Reported again until a later epoch comes.

  link @3 (report :LinkReport) -> ();
  # What this node sends to a neighbour does not arrive or is not answered, or arrives again (R6).
  # Reported again and again while it lasts.
}

struct LinkReport {
  # One direction of a link, as the end that sends sees it.

  epoch @0 :UInt64;
  peer @1 :UInt64;
  # Incarnation of the other end.

  direction @2 :Direction;
  state @3 :State;

  since @4 :Int64;
  # How long it has lasted, in nanoseconds.

  gating @5 :Bool;
  # This node is the tail, and commits nothing that `peer`, which joins, does not have on
  # its disk (R9).

  enum Direction {
    toSuccessor @0;
    toPredecessor @1;
  }

  enum State {
    works @0;
    # It works again.

    pathDead @1;
    processSlow @2;
    # See chain/link-progress.h.
  }
}

interface NodeControl {
  # The way for the master to reach a registered node.

  configure @0 (configuration :Topology.Configuration) -> ();
  # Returns once the node has made the configuration durable and acts in it, or already acts in a
  # later one.

  acceptClock @1 (limit :Int64) -> (refused :Text);
  # To the head: an operator accepts its clock, if that is not above `limit` (ns since the Unix
  # epoch), though it is far above the log's newest entry (R15).  Returns once an entry with that
  # time is committed, so that every later head has it.  Otherwise returns the reason why there will
  # be none.
}

struct BoundRecord {
  # What a master keeps beside its document, and renews while bids go on (R11).

  clusterId @0 :UInt64;
  bound @1 :Topology.Bound;
}

struct MasterDocument {
  # What a master keeps, in one value that it replaces by compare-and-swap (R3).

  formatVersion @0 :UInt32 = 1;

  relinks @1 :List(Topology.Relink);
  # The newest configurations, oldest first.  The last one is in force.  Empty: none was made yet.

  clusterId @2 :UInt64;

  stores @3 :List(StoreRecord);
  # Every data directory that a configuration has named, as long as it is remembered.

  drained @4 :List(Text);
  # Names of nodes that an operator has drained.  They are not let in again until they are added.

  bound @5 :Topology.Bound;
  # What was known to be committed when this was stored, as serving members reported it (R11).
}

struct StoreRecord {
  # The newest start of a data directory that the master has let in.  An older copy of the directory
  # shows a lower generation, or the same one under another incarnation (R11).

  storeId @0 :UInt64;
  generation @1 :UInt64;
  incarnation @2 :UInt64;
}

interface Operator {
  # Orders to a master.  Every method decides or refuses at once, with words for the operator.  What
  # it has decided is carried out from then on.

  add @0 (node :Text) -> (result :Result);
  # Lets a registered node join now, whatever the target length is and even if the node was drained.

  drain @1 (node :Text) -> (result :Result);
  # Takes a node out of the chain without waiting for a suspicion.  The node stays out until
  # it is added.

  replace @2 (old :Text, new :Text) -> (result :Result);
  # Lets `new` join, and drains `old` as soon as `new` serves.

  recover @3 (node :Text, epoch :UInt64) -> (result :Result);
  # After a total outage: goes on with `node` alone, though others may hold entries that it does not
  # hold (R11).  What only they have is lost.  `epoch` is the one that the operator has seen, and
  # must still be the newest.

  acceptClock @4 (limit :Int64) -> (result :Result);
  # Has the head go on by its clock, if that is not above `limit`, though it is far above the log's
  # newest entry (R15; NodeControl.acceptClock).  If another node is the head meanwhile, the order
  # is refused or its fate is unknown.  Then it may be given again.

  forget @5 (node :Text) -> (result :Result);
  # Forgets a node that is gone for good: it is listed neither in nodes() nor among the drained.
  # Refused for members and for nodes that are heard.  What protects against older copies of its
  # data directory stays (R11).

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
