#include "log/segmented-log.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <kj/debug.h>

#include "base/planted.h"

namespace gavel {
namespace {

constexpr char NAME[] = "segment-";
// The distance between the places from which a batch can be looked for.
constexpr std::uint64_t MARK_BYTES = 64 * 1024;
// How many files that hold nothing are kept for later.
constexpr std::size_t MOST_UNUSED = 2;

// The N in a file's name; 0 if the file is none of ours.
std::uint64_t numberOf(const std::string& name) {
  if (!name.starts_with(NAME)) return 0;
  auto digits = name.substr(sizeof(NAME) - 1);
  bool number = !digits.empty() && digits.size() < 10 &&
                digits.find_first_not_of("0123456789") == std::string::npos;
  return number ? std::stoull(digits) : 0;
}

bool within(const Position& position, const Position& limit) {
  return position.epoch <= limit.epoch && position.index <= limit.index;
}

// Reads a batch as it was stored.
BatchPtr parseBatch(const LogFaults& faults, kj::ArrayPtr<const kj::byte> bytes) {
  BatchPtr batch;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { batch = Batch::parse(bytes); })) {
    faults.failDamaged(kj::str("in its log: ", exception->getDescription()).cStr());
  }
  return batch;
}

}  // namespace

BatchPtr LogCursor::next() {
  for (; !runs.empty(); runs.pop_front(), reader = nullptr) {
    auto& run = runs.front();
    if (reader == nullptr) {
      reader = std::make_unique<FrameReader>(*run.segment, run.seed, run.offset, run.end);
    }
    kj::Maybe<kj::ArrayPtr<const kj::byte>> frame;
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { frame = reader->next(); })) {
      faults.fail(*exception, "read its log");
    }
    KJ_IF_MAYBE (bytes, frame) {
      auto batch = parseBatch(faults, *bytes);
      position_ = batch->end();
      return batch;
    }
    if (reader->offset() != run.end) {
      faults.failDamaged("in its log: " + run.segment->path + " is damaged at byte " +
                         std::to_string(reader->offset()));
    }
    // The offset of the last batch stays known.
    if (runs.size() == 1) break;
  }
  return nullptr;
}

void SegmentedLog::Part::grow(const Position& to, std::uint64_t bytes) {
  end = to;
  endOffset += bytes;
  if (endOffset - marks.back().offset >= MARK_BYTES) marks.push_back({end, endOffset});
}

void SegmentedLog::Part::endAt(const Position& to, std::uint64_t offset) {
  end = to;
  endOffset = offset;
  while (marks.size() > 1 && marks.back().offset > offset) marks.pop_back();
}

// -- what was found

SegmentedLog::SegmentedLog(const LogFaults& faults, FileSystem& files, std::string directory_,
                           std::uint64_t storeId, std::uint64_t segmentBytes)
    : faults(faults),
      files(files),
      directory(std::move(directory_)),
      storeId(storeId),
      segmentBytes(segmentBytes) {
  disk("make a directory for its log", [&]() { files.makeDirectories(directory); });
  recover();
}

template <typename Function>
void SegmentedLog::disk(kj::StringPtr doing, Function&& function) const {
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions(kj::fwd<Function>(function))) {
    faults.fail(*exception, doing);
  }
}

void SegmentedLog::recover() {
  std::vector<Part> found;
  std::vector<std::string> names;
  disk("read its log", [&]() { names = files.list(directory); });
  for (auto& name: names) {
    auto file = numberOf(name);
    if (file == 0) continue;
    highestFile = std::max(highestFile, file);
    std::shared_ptr<Segment> segment;
    kj::Maybe<SegmentHeader> sound;
    disk("read its log", [&]() {
      segment = std::make_shared<Segment>(directory + "/" + name, files);
      sound = segment->readHeader();
    });
    KJ_IF_MAYBE (header, sound) {
      if (header->storeId != storeId) {
        faults.failDamaged("in its log: " + segment->path + " belongs to another store");
      }
      std::string ignored;
      auto seed = Segment::encode(*header, ignored);
      found.emplace_back(std::move(segment), *header, seed);
    } else {
      // It was never used, or a crash hit while it was begun, or it is damaged.
      unused.push_back(std::move(segment));
    }
  }
  std::sort(found.begin(), found.end(),
            [](auto& a, auto& b) { return a.header.number < b.header.number; });
  for (auto& part: found) scan(part);
  // From the newest one back.  A segment that no newer one goes on from is from before a cut, or is
  // not needed any more and in part used again.  Or it is damaged; then it is missed where the
  // checkpoint is looked for.
  for (auto part = found.rbegin(); part != found.rend(); ++part) {
    if (parts.empty() || endAt(*part, parts.front().header.start)) {
      parts.push_front(std::move(*part));
    } else {
      unused.push_back(std::move(part->segment));
    }
  }
  if (!parts.empty()) {
    number = parts.back().header.number;
    cuts_ = parts.back().header.cuts;
  }
}

// Finds out how far the segment's sound batches reach.
void SegmentedLog::scan(Part& part) const {
  FrameReader reader(*part.segment, part.seed, part.endOffset, part.segment->size());
  for (;;) {
    kj::Maybe<kj::ArrayPtr<const kj::byte>> frame;
    disk("read its log", [&]() { frame = reader.next(); });
    KJ_IF_MAYBE (bytes, frame) {
      auto batch = parseBatch(faults, *bytes);
      if (batch->previous() != part.end) {
        faults.failDamaged("in its log: the batch before byte " + std::to_string(reader.offset()) +
                           " of " + part.segment->path + " does not follow the one before it");
      }
      part.grow(batch->end(), reader.offset() - part.endOffset);
    } else {
      return;
    }
  }
}

Position SegmentedLog::lastCut() const {
  for (auto& part: parts) {
    if (part.header.cuts == cuts_) return part.header.start;
  }
  return {};
}

void SegmentedLog::measure(LogWindow& window) const {
  window.reset(start());
  for (auto& part: parts) {
    auto last = part.marks.front();
    auto upTo = [&](const Mark& mark) {
      if (mark.offset > last.offset) window.grow(mark.at, mark.offset - last.offset);
      last = mark;
    };
    for (auto& mark: part.marks) upTo(mark);
    upTo({part.end, part.endOffset});
  }
}

std::string SegmentedLog::describeEnd() const {
  if (parts.empty()) return "no file in " + directory + " is a sound segment";
  auto& last = parts.back();
  return last.segment->path + " holds no sound batch after byte " + std::to_string(last.endOffset);
}

// -- for the thread that writes

void SegmentedLog::begin(std::uint64_t now, const Position& durable, std::uint64_t cuts) {
  generation = now;
  if (parts.empty()) {
    cut({});
    // This also covers a file that an earlier process has made.
    disk("begin to write its log", [&]() { syncDirectory(); });
    return;
  }
  if (planted(Bug::countReadAsDurable)) return;
  std::vector<Segment*> written;
  for (auto& part: parts) {
    bool sinceThen = part.header.cuts > cuts;
    if (!sinceThen && part.end.index <= durable.index && part.header.start.index < durable.index &&
        &part != &parts.back()) {
      continue;
    }
    if (!planted(Bug::rewriteNothingAtStart)) writeAnew(part, sinceThen ? Position() : durable);
    written.push_back(part.segment.get());
  }
  disk("begin to write its log", [&]() {
    // A crash may have left batches after one that was not written in full.  They must not follow
    // the batch that takes its place.
    parts.back().segment->clearAfter(parts.back().endOffset);
    parts.back().segment->reserve(segmentBytes);
    for (auto* segment: written) segment->syncAll();
    syncDirectory();
  });
}

void SegmentedLog::syncDirectory() const {
  if (!planted(Bug::forgetDirectory)) files.syncDirectory(directory);
}

// Writes the header, and what is after `durable`; does not sync.
void SegmentedLog::writeAnew(const Part& part, const Position& durable) {
  auto mark = std::find_if(part.marks.rbegin(), part.marks.rend(),
                           [&](auto& mark) { return within(mark.at, durable); });
  auto offset = mark == part.marks.rend() ? Segment::FIRST_FRAME : mark->offset;
  FrameReader reader(*part.segment, part.seed, offset, part.endOffset);
  std::string bytes;
  Segment::encode(part.header, bytes);
  disk("write anew what it found of its log", [&]() {
    part.segment->write(0, bytes);
    for (bytes.clear(); offset < part.endOffset; bytes.clear()) {
      KJ_IF_MAYBE (batch, reader.next()) {
        Segment::encodeFrame(part.seed, *batch, bytes);
      }
      // It was sound a moment ago.
      KJ_REQUIRE(!bytes.empty(), "what was read of the log reads as something else now",
                 part.segment->path.c_str(), offset);
      part.segment->write(offset, bytes);
      offset += bytes.size();
    }
  });
}

void SegmentedLog::append(const std::vector<BatchPtr>& batches, bool synced) {
  auto* part = &parts.back();
  auto offset = part->endOffset;
  std::string bytes;
  std::size_t size = 0;
  for (auto& batch: batches) size += Segment::frameSize(*batch);
  bytes.reserve(size);
  std::size_t written = 0;  // How many batches are in the segments before.
  auto flush = [&](std::size_t upTo, bool synced) {
    disk("write to its log", [&]() {
      part->segment->write(offset, bytes);
      if (synced) part->segment->sync();
    });
    bytes.clear();
    std::lock_guard<std::mutex> lock(mutex);
    for (; written < upTo; ++written) {
      part->grow(batches[written]->end(), Segment::frameSize(*batches[written]));
    }
  };
  for (std::size_t i = 0; i < batches.size(); ++i) {
    auto& batch = *batches[i];
    auto end = offset + bytes.size();
    if (end + Segment::frameSize(batch) > segmentBytes && end > Segment::FIRST_FRAME) {
      // Synced in any case: nothing in the next segment counts without what is in this one.
      flush(i, true);
      bytes = beginSegment(batch.previous());
      part = &parts.back();
      offset = 0;
    }
    Segment::encodeFrame(part->seed, batch, bytes);
  }
  flush(batches.size(), synced);
}

void SegmentedLog::cut(const Position& end) {
  ++cuts_;
  auto bytes = beginSegment(end);
  disk("cut its log", [&]() {
    parts.back().segment->write(0, bytes);
    parts.back().segment->sync();
  });
}

void SegmentedLog::truncate(const Position& start) {
  std::lock_guard<std::mutex> lock(mutex);
  while (parts.size() > 1 && parts[1].header.start.index <= start.index) {
    unused.push_back(std::move(parts.front().segment));
    parts.pop_front();
  }
  while (unused.size() > MOST_UNUSED) {
    // A file that cannot be removed only takes up room.
    kj::runCatchingExceptions([&]() { files.removeAll(unused.back()->path); });
    unused.pop_back();
  }
}

bool SegmentedLog::frees(const Position& start) const {
  return parts.size() > 1 && parts[1].header.start.index <= start.index;
}

void SegmentedLog::sync() {
  disk("sync its log", [&]() { parts.back().segment->sync(); });
}

std::shared_ptr<Segment> SegmentedLog::takeSegment() {
  std::shared_ptr<Segment> segment;
  for (auto& one: unused) {
    if (one.use_count() > 1) continue;
    // Copying the pointer and dropping the copy orders this after the last cursor has dropped its
    // own, and so after all that it has read.
    std::shared_ptr<Segment>(one).reset();
    segment = std::move(one);
    one = std::move(unused.back());
    unused.pop_back();
    break;
  }
  disk("make room for its log", [&]() {
    bool made = segment == nullptr;
    if (made) {
      segment =
          std::make_shared<Segment>(directory + "/" + NAME + std::to_string(++highestFile), files);
    }
    segment->reserve(segmentBytes);
    if (made) syncDirectory();
  });
  return segment;
}

std::string SegmentedLog::beginSegment(const Position& start) {
  auto segment = takeSegment();
  SegmentHeader header{storeId, generation, ++number, cuts_, start};
  std::string bytes;
  auto seed = Segment::encode(header, bytes);
  std::lock_guard<std::mutex> lock(mutex);
  cutAt(start);
  parts.emplace_back(std::move(segment), header, seed);
  return bytes;
}

void SegmentedLog::cutAt(const Position& start) {
  while (!parts.empty() && !endAt(parts.back(), start)) {
    unused.push_back(std::move(parts.back().segment));
    parts.pop_back();
  }
}

bool SegmentedLog::endAt(Part& part, const Position& position) const {
  if (position == part.end) return true;
  if (position.index < part.header.start.index || position.index > part.end.index) return false;
  if (position == part.header.start) {
    part.endAt(position, Segment::FIRST_FRAME);
    return true;
  }
  LogCursor cursor(faults, part.header.start);
  cursor.runs.push_back({part.segment, part.seed, Segment::FIRST_FRAME, part.endOffset});
  while (cursor.position().index < position.index && cursor.next() != nullptr) {
  }
  if (cursor.position() != position) return false;
  part.endAt(position, cursor.offset());
  return true;
}

std::optional<Position> SegmentedLog::positionAt(std::uint64_t index) const {
  auto log = seek(index);
  while (log.position().index < index && log.next() != nullptr) {
  }
  if (log.position().index != index) return std::nullopt;
  return log.position();
}

// -- for any thread

Position SegmentedLog::start() const {
  std::lock_guard<std::mutex> lock(mutex);
  return parts.empty() ? Position() : parts.front().header.start;
}

Position SegmentedLog::end() const {
  std::lock_guard<std::mutex> lock(mutex);
  return parts.empty() ? Position() : parts.back().end;
}

LogCursor SegmentedLog::seek(std::uint64_t index) const {
  return seek(Position{std::numeric_limits<std::uint64_t>::max(), index, 0});
}

LogCursor SegmentedLog::seek(const Position& limit) const {
  std::lock_guard<std::mutex> lock(mutex);
  for (auto part = parts.size(); part-- > 0;) {
    auto& marks = parts[part].marks;
    for (auto mark = marks.rbegin(); mark != marks.rend(); ++mark) {
      if (within(mark->at, limit)) return cursorFrom(part, *mark);
    }
  }
  if (parts.empty()) return {faults, {}};
  return cursorFrom(0, parts.front().marks.front());
}

LogCursor SegmentedLog::cursorFrom(std::size_t part, const Mark& mark) const {
  LogCursor cursor(faults, mark.at);
  auto offset = mark.offset;
  for (; part < parts.size(); ++part) {
    auto& one = parts[part];
    cursor.runs.push_back({one.segment, one.seed, offset, one.endOffset});
    offset = Segment::FIRST_FRAME;
  }
  return cursor;
}

}  // namespace gavel
