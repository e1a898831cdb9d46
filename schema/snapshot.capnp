@0xa7d30e95b86c14f2;
# Committed state on its way to a node that joins (R9), or into a backup.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("gavel::schema");

using Log = import "log.capnp";

struct SnapshotPart {
  # A snapshot is a sequence of parts: one header, any number of records, one end.  In a backup the
  # parts are messages in Cap'n Proto's stream framing, one after the other.

  union {
    header @0 :SnapshotHeader;

    records @1 :Records;

    end :group {
      parts @2 :UInt64;
      # How many `records` there are.

      checksum @3 :UInt64;
      # That of the last `records`.
    }
  }
}

struct SnapshotHeader {
  formatVersion @0 :UInt32 = 1;

  clusterId @1 :UInt64;
  # The id of the cluster that it was taken from.

  position @2 :Log.Position;
  # The state is as of here, and is committed.

  stamp @3 :Int64;
  # The wall clock of the node that made it, ns since the Unix epoch.  For people only.

  configurationEpoch @4 :UInt64;
  # The newest epoch that the node knew.  0: an older version has made the snapshot.

  unconfirmed @5 :Bool;
  # The chain was not asked.  The state is that of the whole log of a serving member of that epoch.
  # So it has all that was acknowledged up to that epoch, and perhaps entries that never were.

  committed @6 :UInt64;
  # If unconfirmed: up to this index the state is known to be committed.
}

struct Records {
  # Some of the records of the state, in the order of their keys.

  data @0 :Data;
  # The records, in the framing of auction/records.h.

  checksum @1 :UInt64;
  # XXH3-64 of `data`, seeded with the checksum of the part before (0 for the first).  So no part
  # can be missing or come twice.
}

interface SnapshotSink {
  # Takes one snapshot.

  write @0 (records :Records) -> stream;

  finish @1 (parts :UInt64) -> ();
  # No more parts come; there were `parts`.  Returns once they are durable, and sound as a whole.
}

interface SnapshotReceiver {
  begin @0 (header :SnapshotHeader) -> (sink :SnapshotSink);
  # Called once, before anything is written: whoever keeps a snapshot has to put the header first.
}

interface SnapshotSource {
  snapshot @0 (receiver :SnapshotReceiver, unconfirmed :Bool) -> ();
  # Sends the newest checkpoint of committed state while bids go on: begins, then writes to the sink
  # that it was given, and finishes that.  Returns once all that is done, or fails as it failed.
  #
  # `unconfirmed`: without asking the chain, and with all that the node's log holds
  # (SnapshotHeader).  Fails unless the node's data are those of a serving member of the newest
  # configuration that it knows.
}
