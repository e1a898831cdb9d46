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

// Goes over the batches of a log as it was when this was made, while the log goes on.
class LogCursor {
public:
  // The next batch; null at the end.  Ends the process where one is damaged (R12).
  BatchPtr next();
  // What the next batch follows: the end of the one that came last.
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

  // Where that is in its segment.
  std::uint64_t offset() const { return reader->offset(); }
};

// The log on disk: segments of equal size in a directory, each of which goes on where the one
// before ends.  A segment that nobody needs any more is used again for a later part of the log, so
// that in the long run the disk writes where it has written before.
//
// A cut is nothing but a segment that begins earlier than the one before ends: what is after that
// place does not count any more.  So one write of one page makes it durable.  Nor does anything
// count that a newer segment does not go on from.
//
// A crash leaves a log that ends with the last batch that was written in full: a batch is in one
// segment, and the one before is synced before a segment is begun.  It cannot be told here whether
// what is not sound after that was ever durable (durable-marker.h).
//
// One thread writes; cursors are for any.  Failures go to LogFaults.
class SegmentedLog {
public:
  // Reads what there is in `directory`, making it if it is missing.  Damage that no crash leaves
  // goes to `faults`, too, which outlives this and all cursors.
  SegmentedLog(const LogFaults& faults, FileSystem& files, std::string directory,
               std::uint64_t storeId, std::uint64_t segmentBytes);
  KJ_DISALLOW_COPY(SegmentedLog);

  // -- what was found

  // How often it was cut, and a position that was durable then.
  std::uint64_t cuts() const { return cuts_; }
  Position lastCut() const;
  // Takes the measure of all of it.
  void measure(LogWindow& window) const;
  // What follows the end, for the operator.
  std::string describeEnd() const;

  // -- for the thread that writes

  // Before anything is written, and before anybody is told of what was found: segments that are
  // begun from now on are this generation's.
  //
  // Makes durable what was found (R2).  Whoever wrote it may not have come to a sync, or to one
  // that failed, after which it reads well and counts as clean though it is not on the disk.  So
  // all that is not known to be durable is written anew, as it was read and checked, and synced.
  // Known is what reaches up to `durable`, as of when the log had been cut `cuts` times; by
  // default, nothing.
  void begin(std::uint64_t generation, const Position& durable = {}, std::uint64_t cuts = 0);
  // Writes batches that follow the end, and syncs them unless told otherwise.
  void append(const std::vector<BatchPtr>& batches, bool synced);
  // Durably ends the log at `end`; where that is no position in it, the log is dropped, and begins
  // anew there.
  void cut(const Position& end);
  // Nothing up to `start` is needed any more.  What that frees is overwritten by and by.
  void truncate(const Position& start);
  // Whether truncate(start) would free anything.
  bool frees(const Position& start) const;
  void sync();

  // The end of the batch that ends at `index`, or where the log begins; null if there is none.
  std::optional<Position> positionAt(std::uint64_t index) const;

  // -- for any thread

  // Where the first segment begins.
  Position start() const;
  Position end() const;
  // From a position with neither epoch nor index above those of `limit` on, which is not far from
  // the last such; or from the start, if there is none.
  LogCursor seek(const Position& limit) const;
  LogCursor seek(std::uint64_t index) const;

private:
  struct Mark {
    Position at;
    std::uint64_t offset;
  };
  // A part of the log: what counts of a segment.
  struct Part {
    std::shared_ptr<Segment> segment;
    SegmentHeader header;
    std::uint64_t seed = 0;
    std::vector<Mark> marks;  // The start, and then one now and then.
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
  std::uint64_t number = 0;  // Of the newest segment.
  std::uint64_t cuts_ = 0;
  std::uint64_t highestFile = 0;  // The highest number in a name.

  mutable std::mutex mutex;  // For what follows; only the writing thread changes it.
  std::deque<Part> parts;
  std::vector<std::shared_ptr<Segment>> unused;  // A cursor may still read from some.

  // Does what may fail on the disk.
  template <typename Function>
  void disk(kj::StringPtr doing, Function&& function) const;
  void syncDirectory() const;
  void recover();
  void writeAnew(const Part& part, const Position& durable);
  void scan(Part& part) const;
  // Ends the part where a batch of it ends; false if none does so there.
  bool endAt(Part& part, const Position& position) const;
  std::shared_ptr<Segment> takeSegment();
  // Begins a segment at `start`, where the log ends from now on, or begins anew if that is nowhere
  // in it; returns what is to be written into it first.
  std::string beginSegment(const Position& start);
  void cutAt(const Position& start);
  LogCursor cursorFrom(std::size_t part, const Mark& mark) const;
};

}  // namespace gavel
