#include "store/unconfirmed-snapshot.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <kj/debug.h>

#include "auction/records.h"

namespace gavel {
namespace {

constexpr auto SLICE = 2 * kj::MILLISECONDS;
constexpr std::size_t PER_STEP = 16;
constexpr std::size_t UNITS_EACH = 4;

// Records by key; null: there is no such record any more.
using Changed = std::map<std::string, std::optional<std::string>, std::less<>>;

// The records of a snapshot with some of them changed, in the order of their keys.
class ChangedSnapshot final: public SnapshotReader {
public:
  ChangedSnapshot(kj::Own<SnapshotReader> before, Changed changed, Position at)
      : before(kj::mv(before)), changed(kj::mv(changed)), at(at), next_(this->changed.begin()) {}
  KJ_DISALLOW_COPY(ChangedSnapshot);

  Position position() const override { return at; }

  kj::Promise<kj::Array<kj::byte>> next() override {
    if (!record && !beforeEnded) {
      return before->next().then([this](kj::Array<kj::byte> more) {
        take(kj::mv(more));
        return next();
      });
    }
    std::string out;
    auction::RecordWriter writer(out);
    while (out.size() < SNAPSHOT_PART_BYTES && (record || beforeEnded) && step(writer)) {
    }
    // All records in the part were removed.
    if (out.empty() && !beforeEnded) return next();
    return kj::heapArray(reinterpret_cast<const kj::byte*>(out.data()), out.size());
  }

private:
  kj::Own<SnapshotReader> before;
  Changed changed;
  Position at;
  Changed::iterator next_;
  bool beforeEnded = false;
  kj::Array<kj::byte> part;
  std::optional<auction::RecordReader> reader;          // Reads `part`.
  std::optional<auction::RecordReader::Record> record;  // The next record in it.

  void take(kj::Array<kj::byte> more) {
    beforeEnded = more.size() == 0;
    part = kj::mv(more);
    reader.emplace(std::string_view(part.asChars().begin(), part.size()));
    record = reader->next();
  }
  // Returns false if there was nothing more.
  bool step(auction::RecordWriter& writer) {
    bool change = next_ != changed.end() && (!record || next_->first <= record->key);
    if (!change && !record) return false;
    if (change) {
      if (record && next_->first == record->key) record = reader->next();
      if (next_->second) writer.put(next_->first, *next_->second);
      next_ = changed.erase(next_);
    } else {
      KJ_ASSERT(record->value.has_value(), "a snapshot without a value for a key");
      writer.put(record->key, *record->value);
      record = reader->next();
    }
    return true;
  }
};

class Opening {
public:
  Opening(Store& store, kj::Timer& timer, WorkPace pace)
      : store(store), timer(timer), budget(pace, SLICE), before(store.openSnapshot()) {}
  KJ_DISALLOW_COPY(Opening);
  ~Opening() noexcept(false) {
    if (loaded) store.discard(kj::mv(image.state));
  }

  kj::Promise<kj::Own<SnapshotReader>> run() {
    return store.load()
        .then([this](Image&& image) {
          this->image = kj::mv(image);
          loaded = true;
          requireSame(this->image.checkpoint);
          return apply();
        })
        .then([this]() {
          image.state.beginCapture();
          return capture();
        })
        .then([this]() {
          // What was looked up in the store meanwhile was as of the same checkpoint.
          requireSame(store.openSnapshot()->position());
          records = image.state.endCapture().records;
          reader.emplace(records);
          return readChanges();
        })
        .then([this]() -> kj::Own<SnapshotReader> {
          return kj::heap<ChangedSnapshot>(kj::mv(before), kj::mv(changed), image.end());
        });
  }

private:
  Store& store;
  kj::Timer& timer;
  TurnBudget budget;
  kj::Own<SnapshotReader> before;
  Image image;
  bool loaded = false;
  std::size_t batch = 0;  // The next one of the log.
  std::vector<auction::Entry> upcoming;
  std::vector<auction::Event> events;
  std::string records;                          // Those that have changed since the checkpoint.
  std::optional<auction::RecordReader> reader;  // Reads `records`.
  Changed changed;

  void requireSame(const Position& checkpoint) const {
    if (checkpoint == before->position()) return;
    kj::throwFatalException(
        KJ_EXCEPTION(OVERLOADED,
                     "a checkpoint was made meanwhile, so that the chain works: take a "
                     "backup that it confirms"));
  }
  kj::Promise<void> later() {
    return timer.afterDelay(0 * kj::SECONDS).then([this]() { budget.restart(); });
  }
  kj::Promise<void> apply() {
    for (bool more = true; batch < image.log.size();) {
      if (!more) return later().then([this]() { return apply(); });
      more = applySome(*image.log[batch]);
      if (image.state.lastIndex() == image.log[batch]->lastIndex()) ++batch;
    }
    return kj::READY_NOW;
  }
  bool applySome(const Batch& from) {
    upcoming.clear();
    from.forSome(image.state.lastIndex() + 1, auction::State::PREFETCHED,
                 [&](const auction::Entry& entry) { upcoming.push_back(entry); });
    for (auto& entry: upcoming) {
      events.clear();
      image.state.apply(entry, &events);
      if (!budget.spend(1 + events.size())) return false;
    }
    return true;
  }
  kj::Promise<void> capture() {
    while (!image.state.continueCapture(PER_STEP)) {
      if (budget.spend(PER_STEP * UNITS_EACH)) continue;
      return later().then([this]() { return capture(); });
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> readChanges() {
    while (auto record = reader->next()) {
      auto& value = changed[std::string(record->key)];
      value.reset();
      if (record->value) value.emplace(*record->value);
      if (!budget.spend(UNITS_EACH)) return later().then([this]() { return readChanges(); });
    }
    return kj::READY_NOW;
  }
};

}  // namespace

kj::Promise<kj::Own<SnapshotReader>> openUnconfirmedSnapshot(Store& store, kj::Timer& timer,
                                                             WorkPace pace) {
  auto opening = kj::heap<Opening>(store, timer, pace);
  auto promise = opening->run();
  return promise.attach(kj::mv(opening));
}

}  // namespace gavel
