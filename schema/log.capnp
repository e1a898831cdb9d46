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
  # The 32 bytes of the SHA-256, as four little-endian words in order.  Fixed fields are smaller and
  # quicker to read than a list.
}

struct Entry {
  # One command in the log.  Its index is its batch's firstIndex plus its position in the batch.
  # Its epoch is its batch's.

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
      # At most this many sessions, the idlest first; up to 1,000, or 0 for all.
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
      # Means nothing, and only keeps its ordinal.

      limit @17 :UInt32;
      # At most this many of those that are due, by deadline and then id; up to 1,000, or 0
      # for all (R16).
    }
    closeDue :group {
      auction @19 :Text;
      # This auction is closed if it is open and due at the entry's stamp.  The head logs it before
      # it judges a request on that auction.
    }
    tick @20 :Void;
    # Changes nothing.  It says that an idle chain was there at this time (R15).
  }
}

struct Batch {
  # The unit in which entries are made, sent, stored and acknowledged: all that gathered at the head
  # while it was busy.  The head makes a batch once, and nobody takes batches apart or joins them.
  # So every node forwards and stores the very bytes that it received.
  #
  # The framing, on disk and in `append`, is 8 bytes of checksum, little-endian, then this message
  # in Cap'n Proto's flat stream framing.  The checksum is XXH3-64 of the message's bytes, seeded
  # with `previousChecksum`.  So checksums chain the log: equal ones at an index mean equal logs up
  # to it.

  epoch @0 :UInt64;
  # The epoch of the head that made it (R4).

  firstIndex @1 :UInt64;
  # The index after the previous batch's last one.

  previousEpoch @2 :UInt64;
  previousChecksum @3 :UInt64;
  # Those of the batch before; both 0 for the first batch.

  entries @4 :List(Entry);
  # At least one.
}

struct Position {
  # A point in a log where a batch ends, or before the first one.

  epoch @0 :UInt64;
  index @1 :UInt64;
  checksum @2 :UInt64;
  # That of the batch that ends here, and so of the whole log up to here.  All three 0: before
  # the first entry.  Epoch 0 with an index: where the log of a cluster begins that was restored
  # from a backup.
}
