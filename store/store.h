#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <kj/async.h>
#include <kj/common.h>

#include "auction/changes.h"
#include "auction/ended-auctions.h"
#include "auction/state.h"
#include "log/batch.h"
#include "log/bound.h"
#include "store/disk-activity.h"
#include "store/rebuild-promise.h"
#include "topology/configuration.h"

namespace gavel {

// What a data directory says of itself when it is opened.
struct Recovered {
  std::uint64_t storeId = 0;  // Made when the directory was formatted.
  std::uint64_t generation =
      0;  // Starts so far, this one included; durable before anybody hears of it (R11).
  Configuration configuration;   // The last one adopted; epoch 0 if none.
  bool empty = true;             // It holds no state and no log.
  bool unsynced = false;         // Nothing is ever synced: what it calls durable may not be.
  Bound bound = {};              // The last that was noted; none if `unsynced`.
  RebuildPromise promised = {};  // The last that was given.
  // Why it is no source for others (R11): the log ends before what was recorded as durable or as
  // committed, or a snapshot is unfinished.  Empty: the store is sound.
  std::string damage;
};

// Committed state at a point of the log, and the log from there on.  A replica starts from it.
struct Image {
  Position checkpoint;        // The state is as of here.
  auction::State state;       // Looks ended auctions up in the store that it came from.
  std::vector<BatchPtr> log;  // From the checkpoint to the log's end.

  Position end() const { return log.empty() ? checkpoint : log.back()->end(); }
};

// Reads committed state as it was when this was made, while the store goes on.  Keeps the log after
// that state from being truncated.
class SnapshotReader {
public:
  virtual ~SnapshotReader() noexcept(false) = default;

  // The position that the state is as of.
  virtual Position position() const = 0;
  // The next records, in the framing of auction/records.h, about `SNAPSHOT_PART_BYTES` of them; an
  // empty array at the end.  One call at a time.
  virtual kj::Promise<kj::Array<kj::byte>> next() = 0;
};
constexpr std::size_t SNAPSHOT_PART_BYTES = 256 * 1024;

// Where a node keeps what must survive it: the log, checkpoints of committed state, and the last
// configuration.  Used from one event loop.  It never blocks that, except to look up single records
// that are likely to be cached (ended()).
//
// Writes happen in the order of the calls.  A write or sync that fails ends the process (R12), and
// so does reading something that is damaged: there is no error to handle.  The data directory then
// remembers that it is damaged.
class Store {
public:
  virtual ~Store() noexcept(false) = default;

  virtual const Recovered& recovered() const = 0;

  // Reads the newest checkpoint, and the log after it.  Everything in the image is durable.
  virtual kj::Promise<Image> load() = 0;

  // -- the log

  // Queues a batch that follows the log's end.  All batches that gather while the disk is busy are
  // written with one sync.
  virtual void append(BatchPtr batch) = 0;

  // Resolves with the highest durable index once that is above `index`.  A later call replaces an
  // earlier one.
  virtual kj::Promise<std::uint64_t> durableAbove(std::uint64_t index) = 0;

  // Drops all batches after `end`, which must be a position in the log that is not before the
  // checkpoint.  If it is not, fails with FAILED and changes nothing.  Resolves once that is
  // durable; the durable index is then end.index (R9).
  virtual kj::Promise<void> cut(Position end) = 0;

  // Where the log that is kept begins.  It is contiguous from there to its end.
  virtual Position logStart() const = 0;

  // The batches after `after`, which is the end of a batch or logStart(): up to `maxBytes`, but at
  // least one.  None at the log's end.  Fails with OVERLOADED if the log begins later by now.
  virtual kj::Promise<std::vector<BatchPtr>> readLog(std::uint64_t after, std::size_t maxBytes) = 0;

  // The last end of a batch, or else logStart(), whose epoch and index are not above those of
  // `limit`; null if there is none.
  virtual kj::Promise<kj::Maybe<Position>> lastWithin(Position limit) = 0;

  // -- the configuration

  // Resolves once the configuration is durable, together with everything queued before it.
  virtual kj::Promise<void> saveConfiguration(const Configuration& configuration) = 0;

  // Does the same for a promise to a master that is rebuilt (R3).
  virtual kj::Promise<void> savePromise(const RebuildPromise& promise) = 0;

  // Notes what is known to be committed (R11), durably in a moment, after everything queued before.
  // Nobody waits for it, since an older bound says nothing wrong.
  virtual void saveBound(const Bound& bound) = 0;

  // Copies the log after `after`, or all there is of it if it begins later, before it is dropped on
  // the operator's order of `epoch` (R11).  The copy is a file that is never touched again.
  // Resolves once that is durable, with words for the operator that say where it is.
  virtual kj::Promise<std::string> keepAside(std::uint64_t after, std::uint64_t epoch) = 0;

  // -- committed state

  // Takes a state that nobody needs any more, and destroys it where that holds nobody up.  To
  // destroy a state is as much work as to read one (R16).
  virtual void discard(auction::State state) {}

  // Makes a new checkpoint from the one before and what has changed since, and truncates the log
  // before the retention window.  `at` is the end of a batch that is committed and queued, and
  // `changes` are as of it.  Resolves once the checkpoint can be read; it need not be durable yet.
  virtual kj::Promise<void> checkpoint(Position at, auction::Changes changes) = 0;

  // The newest checkpoint as a snapshot for others.
  virtual kj::Own<SnapshotReader> openSnapshot() = 0;

  // Take a snapshot from somewhere else, in three steps.  beginInstall() durably drops state and
  // log, and notes that what follows is incomplete.  finishInstall() makes it the checkpoint and
  // the beginning of the log, durably.  It fails with FAILED, and leaves the snapshot incomplete,
  // if the records are not a sound state as of `at`.
  virtual kj::Promise<void> beginInstall() = 0;
  virtual kj::Promise<void> install(kj::Array<kj::byte> records) = 0;
  virtual kj::Promise<void> finishInstall(Position at) = 0;

  // -- the disk (R12)

  // What the disk is doing now.  Does not wait for it.
  virtual DiskActivity activity() const = 0;
  // Has something written anew and synced, if nothing else is to be written.  Needs no room
  // on the disk.
  virtual void probe() = 0;

  // -- what is not in memory any more

  // For the state machine.  Outlives the store's images.
  virtual const auction::EndedAuctions& ended() const = 0;

  // Versions [first, first + count) of an auction, all of which have records of their own
  // in the checkpoint.
  virtual kj::Promise<std::vector<auction::Version>> history(auction::AuctionId auction,
                                                             std::uint64_t first,
                                                             std::uint64_t count) = 0;
  // Up to `limit` auctions with an id above `after`, by id, as they are in the checkpoint at the
  // moment of this call.
  virtual kj::Promise<std::vector<auction::Auction>> auctions(auction::AuctionId after,
                                                              std::size_t limit) = 0;
};

}  // namespace gavel
