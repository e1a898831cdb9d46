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
      }
      refused @3 :Text;
      # For good: why, and what to do.  (Other cluster, name in use, clock skew, protocol version.)
    }
  }
}

interface Registration {
  heartbeat @0 (status :Topology.NodeStatus) -> ();

  report @1 (epoch :UInt64, suspect :UInt64, reason :Text) -> ();
  # This node cannot reach its neighbour, whose incarnation is `suspect`.  The master checks for itself.
}

interface NodeControl {
  # How the master reaches a registered node.

  configure @0 (configuration :Topology.Configuration) -> ();
  # Returns when the node has made it durable and acts in it, or already acts in a later one.
}

struct MasterDocument {
  # What a master keeps, in one value that is replaced by compare-and-swap (R3).

  formatVersion @0 :UInt32 = 1;

  relinks @1 :List(Topology.Relink);
  # The newest configurations, oldest first; the last is in force.  Empty: none was made yet.

  clusterId @2 :UInt64;
}

interface MasterService extends(Registry, Topology.Topology) {
  # Bootstrap interface of a master.
}
