@0x9e4d2c8a61b7f035;
# The replicated log, as nodes send it to each other and keep it on disk.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("gavel::schema");

using Auction = import "auction.capnp";

struct StoredIdentity {
  # A name with the SHA-256 of its credential, never the credential.

  name @0 :Text;

  credential0 @1 :UInt64;
  credential1 @2 :UInt64;
  credential2 @3 :UInt64;
  credential3 @4 :UInt64;
  # The 32 bytes of the SHA-256, as four little-endian words in order.  Fixed fields, as they are
  # smaller and quicker to read than a list.
}

struct Entry {
  # One command in the log.  Its index is its batch's firstIndex + its position in the batch; its epoch
  # is its batch's.

  stamp @0 :Int64;
  # Chain time, given by the head; above the last one (R15).

  session @1 :UInt64;
  sequence @2 :UInt64;
  lowestIncomplete @3 :UInt64;
  # The request id (R7).  Session 0: a command of the head's own, or openSession.

  command :union {
    openSession @4 :Void;
    expireSessions :group {
      idleSince @5 :Int64;

      limit @18 :UInt32;
      # At most so many, the idlest first; up to 1,000, or 0 for all.
    }
    bid :group {
      auction @6 :Text;
      bidder @7 :StoredIdentity;
      amount @8 :Int64;
    }
    create :group {
      auction @9 :Text;
      owner @10 :StoredIdentity;
      terms @11 :Auction.Terms;
    }
    close :group {
      auction @12 :Text;
      owner @13 :StoredIdentity;
    }
    cancel :group {
      auction @14 :Text;
      owner @15 :StoredIdentity;
    }
    closeExpired :group {
      all @16 :Void;
      # Says nothing: closeExpired had no limit once.

      limit @17 :UInt32;
      # Only the first so many that are due, by deadline and then id; up to 1,000, or 0 for all (R16).
    }
    closeDue :group {
      auction @19 :Text;
      # Closed if it is open and due at the entry's stamp.  Logged before a request on it is judged.
    }
    tick @20 :Void;
    # Changes nothing: that an idle chain was there at this time (R15).
  }
}

struct Batch {
  # The unit in which entries are made, sent, stored and acknowledged: all that gathered at the head
  # while it was busy.  Made once, by the head, and never taken apart or joined, so that every node
  # forwards and stores the very bytes it received.
  #
  # Framing, on disk and in `append`: 8 bytes checksum, little-endian, then this message in Cap'n
  # Proto's flat stream framing.  The checksum is XXH3-64 of the message bytes, seeded with
  # `previousChecksum`, which chains the log: equal checksums at an index mean equal logs up to it.

  epoch @0 :UInt64;
  # Of the head that made it (R4).

  firstIndex @1 :UInt64;
  # Follows the previous batch's last index.

  previousEpoch @2 :UInt64;
  previousChecksum @3 :UInt64;
  # Of the batch before; both 0 for the first.

  entries @4 :List(Entry);
  # At least one.
}

struct Position {
  # A point in a log: its end, or the end of a batch in it.

  epoch @0 :UInt64;
  index @1 :UInt64;
  checksum @2 :UInt64;
  # Of the batch that ends here, hence of the whole log up to here.  All three 0: before the first.
  # Epoch 0 with an index: where the log of a cluster begins that was restored from a backup.
}
