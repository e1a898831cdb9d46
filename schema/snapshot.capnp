@0xa7d30e95b86c14f2;
# Committed state on its way: to a node that joins (R9), and into a backup.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("gavel::schema");

using Log = import "log.capnp";

struct SnapshotPart {
  # A snapshot is a sequence of parts.  In a backup they are messages in Cap'n Proto's stream framing, one
  # behind the other: one header, any number of records, one end.

  union {
    header @0 :SnapshotHeader;

    records @1 :Records;

    end :group {
      parts @2 :UInt64;
      # How many `records` there are.

      checksum @3 :UInt64;
      # Of the last of them.
    }
  }
}

struct SnapshotHeader {
  formatVersion @0 :UInt32 = 1;

  clusterId @1 :UInt64;
  # Of the cluster it was taken from.

  position @2 :Log.Position;
  # The state is as of here; committed.

  stamp @3 :Int64;
  # Wall clock of the node that made it, ns since the Unix epoch.  For people only.

  configurationEpoch @4 :UInt64;
  # The newest epoch that the node knew.  0: it is of an older version.

  unconfirmed @5 :Bool;
  # The chain was not asked: the state has all that the log of a serving member of that epoch held, and so
  # all that was acknowledged up to that epoch, and perhaps entries that never were.

  committed @6 :UInt64;
  # If unconfirmed: up to this index it is known to be committed.
}

struct Records {
  # Some of the records that make up the state, in the order of their keys.

  data @0 :Data;
  # In the framing of auction/records.h.

  checksum @1 :UInt64;
  # XXH3-64 of `data`, seeded with the checksum of the part before (0 for the first), so that nothing
  # can be missing or twice.
}

interface SnapshotSink {
  # Takes one snapshot.

  write @0 (records :Records) -> stream;

  finish @1 (parts :UInt64) -> ();
  # That were all.  Returns when they are durable, and sound as a whole.
}

interface SnapshotReceiver {
  begin @0 (header :SnapshotHeader) -> (sink :SnapshotSink);
  # Once, before anything is written: whoever keeps a snapshot has to put the header first.
}

interface SnapshotSource {
  snapshot @0 (receiver :SnapshotReceiver, unconfirmed :Bool) -> ();
  # Sends the newest checkpoint of committed state while bids go on: begins, then writes to the sink
  # that it was given, and finishes that.  Returns when all that is done, or fails as it failed.
  #
  # `unconfirmed`: without asking the chain, and with all that the node's log holds (SnapshotHeader).  Fails if
  # the node's data are not those of a serving member of the newest configuration that it knows.
}
