@0xb54f1a7d90c2e863;
# The members of the chain.  Every node and every master answers, so a client that knows any one
# address finds all others.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("gavel::schema");

using Log = import "log.capnp";

struct Bound {
  # A position of the log that is known to be committed (R11).  Entries up to it were acknowledged,
  # or may have been.

  at @0 :Log.Position;

  madeIn @1 :UInt64;
  # The epoch in which that was heard; it is not below that of `at`.  0: nothing is known.
}

struct Member {
  # One place in a configuration.

  name @0 :Text;
  # The operator's name for the node.

  address @1 :Text;
  # Where peers and clients reach it: "host:port".

  incarnation @2 :UInt64;
  # That of the process meant: a restarted process is another member (R2).

  storeId @3 :UInt64;
  # That of its data directory.  It appears once in a configuration.

  state @4 :State;

  enum State {
    serving @0;
    # Counts for commit, in the order of the list.

    syncing @1;
    # Comes after the tail and catches up (R9).  It does not count yet.
  }
}

struct Configuration {
  # The master decides a configuration for ever (R3).  Two configurations of one epoch are equal.

  clusterId @0 :UInt64;
  # A random number, made with the first configuration.

  epoch @1 :UInt64;
  # From 1, grows by one with each configuration, and by more when a lost master's store is made
  # anew (R3).  0: no configuration has been made yet, and all else is empty.

  members @2 :List(Member);
  # Serving members from head to tail, then at most one syncing.

  stamp @3 :Int64;
  # The master's wall clock when it was made, ns since the Unix epoch.  For people only.

  cause @4 :Text;
  # Why it was made: "formed", "n2 lost: connection closed, then refused".  For people only.

  restartedFrom @5 :Log.Position;
  # The end of the log from which the chain went on by an operator's last order that gave entries
  # up.  What any node holds after it from before `restartedIn` does not count any more (R11).  All
  # later configurations repeat it until the next such order.  All 0: there was none.

  restartedIn @6 :UInt64;
  # The epoch of the configuration that the order made; 0: there was none.

  minMembers @7 :UInt32;
  # While fewer serve, nothing new is logged, and no success is reported (R18).  0 and 1
  # mean the same.

  reign @8 :UInt64;
  # The reign of the master that made it: a random number, drawn when the store of a lost master is
  # made anew (R3).  All later configurations repeat it.  0: the master was never lost.
}

struct NodeStatus {
  # What a node says of itself.

  name @0 :Text;
  address @1 :Text;
  incarnation @2 :UInt64;
  storeId @3 :UInt64;

  epoch @4 :UInt64;
  # The epoch of the configuration in which it acts; 0: it acts in none yet.

  role @5 :Role;

  last @6 :UInt64;
  # The index of the log's end.

  durable @7 :UInt64;
  commit @8 :UInt64;
  applied @9 :UInt64;

  stateHash @10 :Data;
  # The SHA-256 of the auction state at `applied`; only if it was asked for.

  reason @11 :Text;
  # If it does not serve: why, and what to do.

  wallClock @12 :Int64;
  # Its clock when it reported this: the wall clock as it was when the process last looked at it,
  # and as it has run since (R15).  A process looks at it when it starts, when the master refuses
  # it, and while its clock is not believed.  The master compares it with its own.

  generation @13 :UInt64;
  # How many processes were started on its data directory, this one included (R11).

  logStart @14 :UInt64;
  # The log that it still has begins after this index.

  damage @15 :Text;
  # What is wrong with what it found on its disk; empty: nothing.  Such a node is no source (R11).

  unsynced @16 :Bool;
  # It was started with --sync=never: what it calls durable may not be (R11).

  diskHangs @17 :Bool;
  # No call to its disk has ended for --disk-patience, though one is under way.  It confirms nothing
  # until one has ended (R12).

  syncs @18 :Pace;
  # The pace of its disk's syncs: those of batches, and of probes while there are no batches.

  chainTime @19 :Int64;
  # Chain time when it reported this, as far as it has the log.  It is not before wallClock, unless
  # that clock is not believed.  It is later where clocks were ahead once or were set back (R15).

  leap @20 :Int64;
  # At a head that takes no calls and closes nothing because its clock is not believed: the
  # nanoseconds by which the clock is above the log's newest entry and what has passed since.
  # Otherwise 0 (R15).

  longestTurn @21 :Int64;
  # The longest turn of its event loop in the last 10 to 20 s, in nanoseconds: nobody was answered
  # meanwhile (R16).  It may be up to 25 ms too short, so shorter turns are mostly not seen.

  longestTurnOwn @22 :Int64;
  # As longestTurn, but counts only the processor's time that the node had itself.

  end @23 :Log.Position;
  # The log's end; its index is `last`.

  bound @24 :Bound;
  # The highest position that it knows to be committed; it was not above the durable index when it
  # was heard (R11).

  clusterId @25 :UInt64;
  # 0: it belongs to no cluster.

  turns @26 :Pace;
  # The pace of its event loop: by how much it was late for something each 25 ms (R12, R16).

  reign @27 :UInt64;
  # The reign of the newest configuration that it knows.

  promisedEpoch @28 :UInt64;
  promisedReign @29 :UInt64;
  # It has promised the master of that reign, whose store is being made anew, to adopt nothing below
  # that epoch (R3).  0: it has not, or has since adopted a configuration from that epoch on.

  enum Role {
    waiting @0;
    # It is registered, and a member of nothing.

    head @1;
    middle @2;
    tail @3;
    single @4;
    # It is both head and tail of a chain of one.

    refusing @5;
    # No node reports this.  It would be alive, but must not serve what it has; `reason` says why.

    syncing @6;
    # It joins after the tail (R9).
  }
}

struct Pace {
  # How long something that a node does over and over took within the last ten seconds (R12).
  # Durations in nanoseconds.

  count @0 :UInt64;

  sum @1 :Int64;
  # With the one that has not ended yet, as long as it has taken so far.

  median @2 :Int64;
  # 0: there is none.
}

struct NodeEntry {
  # What the master knows of a node.

  status @0 :NodeStatus;
  # As it was heard last.

  lastHeard @1 :Int64;
  # How long ago, in nanoseconds; -1: nothing was heard since the master started.

  connected @2 :Bool;

  skew @3 :Int64;
  # Its clock minus the master's at the last heartbeat, in nanoseconds (R15).

  note @4 :Text;
  # Why it is not in the chain, and what has to be done, as the master sees it.  Empty for members,
  # except for one whose new process was refused.

  standing @5 :Standing;

  enum Standing {
    unknown @0;
    # The master does not say.

    member @1;

    spare @2;
    # All is well.  It joins when it is needed.

    waiting @3;
    # It goes on by itself, as the note says.

    drained @4;
    # An operator has drained it, and wants it to be out.

    unfit @5;
    # It cannot join until somebody does something.

    refused @6;
    # It asked to be registered, and was refused.

    gone @7;
    # It is not heard any more.
  }
}

struct Relink {
  # A change of configuration, as the master saw it.

  configuration @0 :Configuration;

  duration @1 :Int64;
  # Nanoseconds from the suspicion (or the decision) to the moment when every member had adopted it.
  # 0 while that is still awaited, or if it was not seen.
}

struct BrokenLink {
  # Two nodes that cannot talk to each other though both are heard (R6), by name.  Neighbours in the
  # chain have found it.

  a @0 :Text;
  b @1 :Text;

  since @2 :Int64;
  # How long that has been so, in nanoseconds.

  cause @3 :Text;
  # Words that name the direction in which it was found.

  dead @4 :Bool;
  # The master has taken them apart, and does not make them neighbours for now.  Otherwise it is
  # only reported.

  retry @5 :Int64;
  # Nanoseconds until they may be neighbours again, to try.  0: from now on, or not dead.
}

interface Topology {
  configuration @0 () -> (configuration :Configuration);
  # The newest that this process knows.

  status @1 (withStateHash :Bool) -> (status :NodeStatus);
  # Nodes only.

  nodes @2 () -> (nodes :List(NodeEntry), notice :Text, links :List(BrokenLink));
  # Masters only: every node known, members first, in chain order.  `notice` says what the master
  # waits for and what the operator can do, for example after a total outage (R11); empty: all is
  # well.  `links` are the pairs of nodes that cannot talk to each other, as far as is known (R6).

  epochs @3 () -> (relinks :List(Relink));
  # Masters only: the newest configurations, oldest first.

  tryLinks @4 () -> ();
  # Serving nodes only.  Returns once the whole chain has confirmed (R10), and then each neighbour
  # has answered a message larger than any packet on the link that the epoch has with it.  Fails
  # with OVERLOADED if that takes longer than 2 s each.  Callers share: a node begins no more than
  # five a second.
}
