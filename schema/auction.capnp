@0xd0c5a7e2b1f34a61;
# The public interface of Gavel: what bidders, auctioneers and gateways call, on any node.
#
# Rules named R1-R18 are those of docs/design.md.  Money is in an auction's minor unit, such
# as cents.  Points in time are nanoseconds since the Unix epoch in chain time (R15);
# durations are nanoseconds.  Interfaces evolve by Cap'n Proto's own rules: fields and methods
# are only ever added.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("gavel::schema");

struct Identity {
  # The person or program that asks.

  name @0 :Text;
  # 1 to 128 bytes of UTF-8 without control characters.  The first bid (or create) under a name
  # registers it.

  credential @1 :Data;
  # The caller's secret, 16 to 64 bytes.  Its SHA-256 is bound to the name when the name is
  # registered, and must match ever after.  The secret itself is neither stored nor logged.
}

struct RequestId {
  # Names one request for ever, across retries, connections and re-links (R7).

  session @0 :UInt64;
  # From openSession().

  sequence @1 :UInt64;
  # Chosen by the client, from 1.  Each is used for one request only.

  lowestIncomplete @2 :UInt64;
  # The client has the outcome of every sequence below this one, so nodes may forget those records.
  # 0 and 1 free nothing.
}

struct Increment {
  # The smallest step from one accepted bid to the next.

  union {
    absolute @0 :Int64 = 1;
    # Minor units, at least 1.

    percent @1 :UInt32;
    # Hundredths of a percent of the highest bid (250 is 2.5 %), rounded up to a whole minor unit,
    # and never less than one.
  }
}

struct SoftClose {
  # A bid accepted within `window` before the deadline moves the deadline to at least its stamp
  # + `extension`, but never past the hard end.  Absent (null pointer or all zero): the
  # deadline is fixed.

  window @0 :Int64;
  extension @1 :Int64;

  hardEnd @2 :Int64;
  # Nanoseconds after creation, not less than the duration.
}

struct Terms {
  # What an auction's owner decides at creation.

  item @0 :Text;
  # What is sold: up to 4,096 bytes of UTF-8.

  duration @1 :Int64;
  # The deadline is the chain time of creation + this.  Positive, at most ten years.

  startingPrice @2 :Int64;
  # The lowest valid first bid; 0: any positive amount.

  reserve @3 :Int64;
  # Below this price nothing is sold; 0: none.  Secret until the end: never part of an answer.

  increment @4 :Increment;
  softClose @5 :SoftClose;
}

struct Bid {
  auction @0 :Text;
  bidder @1 :Identity;

  amount @2 :Int64;
  # Positive.
}

struct BidRequest {
  request @0 :RequestId;
  bid @1 :Bid;
}

struct Outcome {
  # The result of a request.  Once it is reported, it is never contradicted.

  union {
    success @0 :Success;
    fail @1 :Fail;
    exception @2 :Exception;
  }

  struct Success {
    version @0 :UInt64;
    # The auction's version after the change.

    index @1 :UInt64;
    # The entry's index in the replicated log.

    stamp @2 :Int64;
    # Chain time of the change.

    deadline @3 :Int64;
    # The auction's deadline after the change.
  }

  struct Fail {
    # The bid was valid but not high enough.

    reason @0 :Reason;

    highest @1 :Int64;
    # tooLow: the bid to beat.

    nextValid @2 :Int64;
    # The lowest amount that would have been accepted; 0 if there is none.

    enum Reason {
      tooLow @0;
      belowStart @1;
    }
  }

  struct Exception {
    reason @0 :Reason;

    detail @1 :Text;
    # For people: what was wrong with what, and what to do.

    enum Reason {
      closed @0;
      # The auction is over, or past its deadline.

      noSuchAuction @1;
      invalidAmount @2;

      notYours @3;
      # Wrong credential for the name, or not the auction's owner.

      sessionExpired @4;
      # The session is unknown: this request was not run.  Open a new one.

      unavailable @5;
      # This attempt was not run: no head is known, it is overloaded, or `detail` says why else.
      # Trying again with the same request id is safe.

      outcomeUnknown @6;
      # This attempt may or may not take effect.  Ask again with the same request id.

      invalidArgument @7;
      alreadyExists @8;

      requestMismatch @9;
      # The request id was used for another request before.

      requestForgotten @10;
      # The client has freed the request id (lowestIncomplete).

      tooManyIncomplete @11;
      # The session holds as many unfreed outcomes as it may: raise lowestIncomplete.
    }
  }
}

struct AuctionView {
  # An auction as of a committed point of the log.

  id @0 :UInt64;
  # Index of the entry that created it.

  name @1 :Text;

  version @2 :UInt64;
  # Grows by one with each accepted change.

  deadline @3 :Int64;
  # The one in force now; soft close may have moved it.

  created @4 :Int64;

  now @5 :Int64;
  # Chain time at the answering node (R15), for showing the time left.  It never decides anything.

  bids @6 :UInt64;
  # How many were accepted so far.

  state :union {
    open :group {
      highest @7 :Int64;
      # 0: no bid yet.

      highestBidder @8 :Text;

      nextValid @9 :Int64;
      # The lowest amount that would be accepted now.  0: none, either because there is no higher
      # amount or because the auction is due.

      due @17 :Bool;
      # The deadline has passed by the stamp of the last entry that this answer is as of.  No bid is
      # accepted any more, and the entry that closes the auction is on its way (R16).
    }
    sold :group {
      price @10 :Int64;
      winner @11 :Text;
    }
    noSale @12 :Void;
    # The auction is over without a bid, or its reserve was not met.

    cancelled @13 :Void;
  }

  owner @14 :Text;

  terms @15 :Terms;
  # Only from show(), and without the reserve.

  index @16 :UInt64;
  # The log index that this answer is as of.
}

struct Version {
  # One accepted change in an auction's history.

  version @0 :UInt64;
  stamp @1 :Int64;
  index @2 :UInt64;
  kind @3 :Kind;

  who @4 :Text;
  # created, cancelled: the owner.  bid: the bidder.  closed: the winner; empty if nothing was sold.

  amount @5 :Int64;
  # bid: the amount.  closed: the price.

  deadline @6 :Int64;
  # The one in force after this version.

  enum Kind {
    created @0;
    bid @1;
    closed @2;
    cancelled @3;
  }
}

struct Change {
  # One accepted change of some auction.

  auction @0 :Text;
  version @1 :Version;
}

struct QueryFailure {
  # Why a query has no answer.

  reason @0 :Reason;
  detail @1 :Text;

  enum Reason {
    noSuchAuction @0;
    unavailable @1;
    # No node could answer now.  Trying again is safe.
  }
}

struct History {
  # A part of an auction's history.

  versions @0 :List(Version);
  more @1 :Bool;
  # There are more versions after these by now.

  failure @2 :QueryFailure;
  # Absent if the rest is good.
}

struct Changes {
  # Committed changes of all auctions, in the order of the log.

  changes @0 :List(Change);

  position @1 :UInt64;
  # A position of the log: everything up to and including it was reported, and what comes next is
  # after it.

  gap @2 :Bool;
  # This node does not hold all that was asked for: changes up to `position` are missing here.
  # Another member may hold more.

  failure @3 :QueryFailure;
}

interface Auctioneer {
  # Served by every node.  A node that is not the head or the tail forwards to it.

  openSession @0 () -> (outcome :Outcome);
  # The new session's id is outcome.success.index.  Calling it again opens another one.

  bid @1 (request :RequestId, bid :Bid) -> (outcome :Outcome);

  bids @2 (requests :List(BidRequest)) -> (outcomes :List(Outcome));
  # Has the same effect as the calls in this order, at much less cost.  For gateways.

  create @3 (request :RequestId, auction :Text, owner :Identity, terms :Terms) -> (outcome :Outcome);
  close @4 (request :RequestId, auction :Text, owner :Identity) -> (outcome :Outcome);
  # Ends the auction now; the highest bid wins.

  cancel @5 (request :RequestId, auction :Text, owner :Identity) -> (outcome :Outcome);
  # Ends the auction now, without a winner.

  result @6 (auction :Text) -> (answer :Answer);
  show @7 (auction :Text) -> (answer :Answer);
  # As result(), with the terms.

  list @8 (after :UInt64, limit :UInt32) -> (auctions :List(AuctionView), more :Bool,
                                             failure :QueryFailure);
  # Auctions with an id above `after`, by id: at most `limit`, or as many as the node likes to send
  # (0: its choice).  `failure` is absent if the list is good.

  history @9 (auction :Text, fromVersion :UInt64, limit :UInt32) -> History;
  # Versions from `fromVersion` on.

  watch @10 (auction :Text, fromVersion :UInt64, limit :UInt32) -> History;
  # As history(), but waits until there is something to return.  After half a second it returns
  # nothing, and the caller asks again.  An auction that is over has a last version, of kind closed
  # or cancelled.

  watchAll @11 (after :UInt64, limit :UInt32) -> Changes;
  # Changes by the log's entries after position `after`.  Waits like watch().  With the highest
  # UInt64 it does not wait, but returns the position from which to watch on.

  struct Answer {
    union {
      auction @0 :AuctionView;
      failure @1 :QueryFailure;
    }
  }
}
