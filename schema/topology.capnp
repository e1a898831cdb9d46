@0xb54f1a7d90c2e863;
# Who is in the chain.  Answered by every node and every master, so that a client which knows any one
# address finds all others.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("gavel::schema");

using Log = import "log.capnp";

struct Bound {
  # A position of the log that is known to be committed (R11).  Entries up to there were acknowledged, or
  # may have been.

  at @0 :Log.Position;

  madeIn @1 :UInt64;
  # The epoch in which that was heard, at least that of `at`.  0: nothing is known.
}

struct Member {
  # One place in a configuration.

  name @0 :Text;
  # The operator's name for the node.

  address @1 :Text;
  # Where peers and clients reach it: "host:port".

  incarnation @2 :UInt64;
  # Of the process meant: a restarted process is another member (R2).

  storeId @3 :UInt64;
  # Of its data directory.  Appears once in a configuration.

  state @4 :State;

  enum State {
    serving @0;
    # Counts for commit, in the order of the list.

    syncing @1;
    # Behind the tail, catching up (R9); does not count yet.
  }
}

struct Configuration {
  # Decided by the master, for ever (R3).  Two configurations of one epoch are equal.

  clusterId @0 :UInt64;
  # Random, made with the first configuration.

  epoch @1 :UInt64;
  # From 1, grows by one.  0: no configuration has been made yet, and all else is empty.

  members @2 :List(Member);
  # Serving members from head to tail, then at most one syncing.

  stamp @3 :Int64;
  # The master's wall clock when it was made, ns since the Unix epoch.  For people only.

  cause @4 :Text;
  # Why it was made: "formed", "n2 lost: connection closed, then refused".  For people only.

  restartedFrom @5 :Log.Position;
  # Where the log ended that the chain went on from by an operator's last order that gave entries up:
  # what any node holds beyond it from before `restartedIn` counts no more (R11).  Repeated by all later
  # configurations until the next such order; all 0: there was none.

  restartedIn @6 :UInt64;
  # The epoch of the configuration that the order made; 0: there was none.

  minMembers @7 :UInt32;
  # While fewer serve, nothing new is logged, and no success is told (R18).  0 and 1 mean the same.

  reign @8 :UInt64;
  # Of the master that made it: random, drawn when the store of a master that was lost is made anew
  # (R3), and repeated by all later configurations.  0: it was never lost.
}

struct NodeStatus {
  # What a node says of itself.

  name @0 :Text;
  address @1 :Text;
  incarnation @2 :UInt64;
  storeId @3 :UInt64;

  epoch @4 :UInt64;
  # Of the configuration it acts in; 0: none yet.

  role @5 :Role;

  last @6 :UInt64;
  # Log end.

  durable @7 :UInt64;
  commit @8 :UInt64;
  applied @9 :UInt64;

  stateHash @10 :Data;
  # SHA-256 of the auction state at `applied`; only where it was asked for.

  reason @11 :Text;
  # Where it does not serve: why, and what to do.

  wallClock @12 :Int64;
  # Its clock when it said this: the wall clock as it was when the process started, or was a member of
  # nothing, and as it ran since (R15).  The master compares it with its own.

  generation @13 :UInt64;
  # How many processes have been started on its data directory, this one included (R11).

  logStart @14 :UInt64;
  # The log it still has begins after this index.

  damage @15 :Text;
  # What is wrong with what it found on its disk; empty: nothing.  Such a node is no source (R11).

  unsynced @16 :Bool;
  # Started with --sync=never: what it calls durable may not be (R11).

  diskHangs @17 :Bool;
  # No call to its disk has ended for --disk-patience, though one is under way.  It confirms nothing until
  # one has (R12).

  syncs @18 :Pace;
  # Of its disk: those of batches, and of probes while there are none.

  chainTime @19 :Int64;
  # Chain time when it said this, as far as it has the log: never before wallClock, and later where
  # clocks were ahead once or were set back (R15).

  leap @20 :Int64;
  # Of a head that takes no calls and closes nothing, as its clock is not believed: nanoseconds by
  # which it is above the log's newest entry and what has passed since; 0 otherwise (R15).

  longestTurn @21 :Int64;
  # Of its event loop, of late (the last 10 to 20 s), in nanoseconds: nobody was answered meanwhile
  # (R16).  Up to 25 ms too short, so that shorter ones are mostly not seen.

  longestTurnOwn @22 :Int64;
  # Likewise, counting only the processor's time that it had itself.

  end @23 :Log.Position;
  # Log end; its index is `last`.

  bound @24 :Bound;
  # The highest position that it knows to be committed, never above its durable index (R11).

  clusterId @25 :UInt64;
  # 0: belongs to none.

  turns @26 :Pace;
  # Of its event loop: by how much it was late for something each 25 ms (R12, R16).

  reign @27 :UInt64;
  # Of the newest configuration that it knows.

  promisedEpoch @28 :UInt64;
  promisedReign @29 :UInt64;
  # It has promised the master of that reign, whose store is being made anew, to adopt nothing below
  # that epoch (R3).  0: it has not, or adopted one from there on since.

  enum Role {
    waiting @0;
    # Registered, member of nothing.

    head @1;
    middle @2;
    tail @3;
    single @4;
    # Head and tail of a chain of one.

    refusing @5;
    # Alive, but must not serve what it has; `reason` says why.

    syncing @6;
    # Joining behind the tail (R9).
  }
}

struct Pace {
  # How long something took a node, over and over, within the last ten seconds (R12).  Durations in
  # nanoseconds.

  count @0 :UInt64;

  sum @1 :Int64;
  # With the one that has not ended yet, as long as it takes so far.

  median @2 :Int64;
  # 0: there is none.
}

struct NodeEntry {
  # What the master knows of a node.

  status @0 :NodeStatus;
  # As last heard.

  lastHeard @1 :Int64;
  # Nanoseconds ago; -1: not since the master started.

  connected @2 :Bool;

  skew @3 :Int64;
  # Its clock minus the master's, nanoseconds, at the last heartbeat (R15).

  note @4 :Text;
  # Why it is not in the chain, and what is to be done, as the master sees it; empty for members, but
  # for one whose new process was refused.

  standing @5 :Standing;

  enum Standing {
    unknown @0;
    # Not told.

    member @1;

    spare @2;
    # All is well: it joins when it is needed.

    waiting @3;
    # It will go on by itself, as the note says.

    drained @4;
    # By an operator, who wants it to be out.

    unfit @5;
    # It cannot join until somebody does something.

    refused @6;
    # It asked to be registered, and was not.

    gone @7;
    # Not heard any more.
  }
}

struct Relink {
  # A change of configuration, as the master saw it.

  configuration @0 :Configuration;

  duration @1 :Int64;
  # Nanoseconds from the suspicion (or the decision) to the moment when every member had adopted it;
  # 0 while that is still awaited or was not seen.
}

struct BrokenLink {
  # Two nodes that cannot talk to each other though both are heard, by name, as neighbours in the chain
  # have found (R6).

  a @0 :Text;
  b @1 :Text;

  since @2 :Int64;
  # Nanoseconds ago.

  cause @3 :Text;
  # In words, with the direction in which it was found.

  dead @4 :Bool;
  # The master has taken them apart, and does not make them neighbours for now.  Otherwise it is only
  # reported.

  retry @5 :Int64;
  # Nanoseconds until they may be neighbours again, to try; 0: from now on, or not dead.
}

interface Topology {
  configuration @0 () -> (configuration :Configuration);
  # The newest this process knows.

  status @1 (withStateHash :Bool) -> (status :NodeStatus);
  # Nodes only.

  nodes @2 () -> (nodes :List(NodeEntry), notice :Text, links :List(BrokenLink));
  # Masters only: every node known, members in chain order first.  `notice` says what the master waits
  # for and what the operator can do, for example after a total outage (R11); empty: all is well.
  # `links` are the pairs of nodes that cannot talk to each other, as far as is known (R6).

  epochs @3 () -> (relinks :List(Relink));
  # Masters only: the newest configurations, oldest first.

  tryLinks @4 () -> ();
  # Nodes only, of those that serve: returns once the whole chain has confirmed (R10), and then each
  # neighbour has answered a message larger than any packet on the link that the epoch has with it.  Fails
  # with OVERLOADED where that takes longer than 2 s each.  Callers share: a node begins no more than five a
  # second.
}
