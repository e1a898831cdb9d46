#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "log/log-faults.h"
#include "log/log-window.h"
#include "log/segment.h"

namespace gavel {

// Reads the batches of a log as it was when this was made, while the log goes on.
class LogCursor {
public:
  // The next batch; null at the end.  Ends the process if a batch is damaged (R12).
  BatchPtr next();
  // The position that the next batch follows: the end of the last one returned.
  const Position& position() const { return position_; }

private:
  friend class SegmentedLog;
  struct Run {
    std::shared_ptr<const Segment> segment;
    std::uint64_t seed, offset, end;
  };

  LogCursor(const LogFaults& faults, const Position& position)
      : faults(faults), position_(position) {}

  const LogFaults& faults;
  Position position_;
  std::deque<Run> runs;  // The first is being read.
  std::unique_ptr<FrameReader> reader;

  // The offset of position() in its segment.
  std::uint64_t offset() const { return reader->offset(); }
};

// The log on disk: segments in a directory, in files named segment-N.  N only tells files apart;
// the number in the header decides the order.  Each segment goes on where the one before ends.
// Segments have equal size, but a batch that is larger than that gets a larger one of its own.  A
// segment that is not needed any more is used again for a later part of the log, so that in the
// long run the disk writes where it has written before.
//
// A cut is a new segment that starts before the previous one ends.  What follows its start does not
// count any more, so one write of one page makes the cut durable.  The newest segment counts.  An
// older one counts, up to where the next newer one that counts starts, if a batch of it ends there.
//
// A crash leaves a log that ends with the last batch that was written in full: no batch is in two
// segments, and a segment is synced before the next one begins.  Whether a batch that is not sound
// was ever durable cannot be seen from the log alone (durable-marker.h).
//
// One thread writes; any thread may use cursors.  Failures go to LogFaults.
class SegmentedLog {
public:
  // Reads what is in `directory`, and makes it if it is missing.  `faults` also hears of damage
  // that no crash leaves; it outlives this object and all cursors.
  SegmentedLog(const LogFaults& faults, FileSystem& files, std::string directory,
               std::uint64_t storeId, std::uint64_t segmentBytes);
  KJ_DISALLOW_COPY(SegmentedLog);

  // -- what was found

  // How often the log was cut, and where the oldest segment since the last cut starts: a position
  // that was durable when that segment began.
  std::uint64_t cuts() const { return cuts_; }
  Position lastCut() const;
  // Has `window` measure the whole log.
  void measure(LogWindow& window) const;
  // Describes what follows the end, for the operator.
  std::string describeEnd() const;

  // -- for the thread that writes

  // Called before anything is written, and before anybody hears what was found.  Segments that
  // begin from now on belong to this generation.
  //
  // Makes durable what was found (R2).  An earlier process may never have synced it, or its sync
  // may have failed: then it reads well and counts as clean in the page cache, though it is not on
  // the disk.  So everything that is not known to be durable is written anew, as it was read and
  // checked, and synced.  What is known is everything up to and including `durable` as of the
  // moment when the log had been cut `cuts` times; by default, nothing.
  void begin(std::uint64_t generation, const Position& durable = {}, std::uint64_t cuts = 0);
  // Writes batches that follow the end, and syncs them if `synced`.
  void append(const std::vector<BatchPtr>& batches, bool synced);
  // Ends the log at `end`, durably.  If no batch ends there, the whole log is dropped and begins
  // anew at `end`.
  void cut(const Position& end);
  // Frees what is up to `start`, which nobody needs any more.  It is overwritten in the
  // course of time.
  void truncate(const Position& start);
  // Whether truncate(start) would free anything.
  bool frees(const Position& start) const;
  void sync();

  // The end of the batch that ends at `index`, or the log's start if it has that index; null if
  // there is none.
  std::optional<Position> positionAt(std::uint64_t index) const;

  // -- for any thread

  // The start of the first segment.
  Position start() const;
  Position end() const;
  // Returns a cursor at a position whose epoch and index are not above those of `limit`, not far
  // before the last such position.  If there is none, the cursor is at start().
  LogCursor seek(const Position& limit) const;
  LogCursor seek(std::uint64_t index) const;

private:
  struct Mark {
    Position at;
    std::uint64_t offset;
  };
  // The part of the log that counts in one segment.
  struct Part {
    std::shared_ptr<Segment> segment;
    SegmentHeader header;
    std::uint64_t seed = 0;
    std::vector<Mark> marks;  // The start, then one now and then.
    Position end;
    std::uint64_t endOffset = Segment::FIRST_FRAME;

    Part(std::shared_ptr<Segment> segment, const SegmentHeader& header, std::uint64_t seed)
        : segment(std::move(segment)),
          header(header),
          seed(seed),
          marks{{header.start, Segment::FIRST_FRAME}},
          end(header.start) {}
    void grow(const Position& to, std::uint64_t bytes);
    void endAt(const Position& to, std::uint64_t offset);
  };

  const LogFaults& faults;
  FileSystem& files;
  const std::string directory;
  const std::uint64_t storeId;
  const std::uint64_t segmentBytes;
  std::uint64_t generation = 0;
  std::uint64_t number = 0;  // That of the newest segment.
  std::uint64_t cuts_ = 0;
  std::uint64_t highestFile = 0;  // The highest N in a file's name.

  mutable std::mutex mutex;  // Guards what follows; only the writing thread changes it.
  std::deque<Part> parts;
  std::vector<std::shared_ptr<Segment>> unused;  // A cursor may still read from some.

  // Calls `function`, which may fail on the disk.
  template <typename Function>
  void disk(kj::StringPtr doing, Function&& function) const;
  void syncDirectory() const;
  void recover();
  void writeAnew(const Part& part, const Position& durable);
  void scan(Part& part) const;
  // Ends the part at `position`.  Returns false, and changes nothing, if no batch of it ends there.
  bool endAt(Part& part, const Position& position) const;
  std::shared_ptr<Segment> takeSegment();
  // Begins a segment at `start`, where the log ends from now on; if that is no position in the log,
  // the log begins anew there.  Returns the bytes to write into the segment first.
  std::string beginSegment(const Position& start);
  void cutAt(const Position& start);
  LogCursor cursorFrom(std::size_t part, const Mark& mark) const;
};

}  // namespace gavel
