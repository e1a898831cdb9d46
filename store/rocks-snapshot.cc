#include "store/rocks-snapshot.h"

#include <string>
#include <utility>

#include <kj/debug.h>

#include "auction/records.h"
#include "store/rocks-read.h"

namespace gavel {
namespace {

class RocksSnapshot final: public SnapshotReader {
public:
  explicit RocksSnapshot(std::shared_ptr<RocksShared> shared): shared(std::move(shared)) {
    std::lock_guard<std::mutex> lock(this->shared->mutex);
    committed = this->shared->committed;
    place = this->shared->readers.insert(committed->position.index);
  }
  ~RocksSnapshot() noexcept(false) override {
    std::lock_guard<std::mutex> lock(shared->mutex);
    shared->readers.erase(place);
  }
  KJ_DISALLOW_COPY(RocksSnapshot);

  Position position() const override { return committed->position; }

  kj::Promise<kj::Array<kj::byte>> next() override {
    auto paf = kj::newPromiseAndCrossThreadFulfiller<kj::Array<kj::byte>>();
    std::lock_guard<std::mutex> lock(shared->mutex);
    if (shared->readThread == nullptr) {
      return KJ_EXCEPTION(DISCONNECTED, "the store of this snapshot has been closed");
    }
    shared->readThread->post(
        [committed = committed, cursor = cursor, fulfiller = kj::mv(paf.fulfiller)]() mutable {
          fulfiller->rejectIfThrows([&]() { fulfiller->fulfill(read(*committed, *cursor)); });
        });
    return kj::mv(paf.promise);
  }

private:
  // Made and used on the reading thread.  It outlives this object while a part is read that nobody
  // waits for any more.
  struct Cursor {
    std::unique_ptr<RecordCursor> records;
  };

  std::shared_ptr<RocksShared> shared;
  std::shared_ptr<const Committed> committed;
  std::multiset<std::uint64_t>::iterator place;
  // Released before what it reads from.
  std::shared_ptr<Cursor> cursor = std::make_shared<Cursor>();

  static kj::Array<kj::byte> read(const Committed& committed, Cursor& cursor) {
    if (cursor.records == nullptr) {
      cursor.records = std::make_unique<RecordCursor>(*committed.database, committed.snapshot);
    }
    std::string part;
    part.reserve(SNAPSHOT_PART_BYTES + SNAPSHOT_PART_BYTES / 8);
    auction::RecordWriter writer(part);
    for (auto& records = *cursor.records; records.valid() && part.size() < SNAPSHOT_PART_BYTES;
         records.next()) {
      writer.put(records.key(), records.value());
    }
    return kj::heapArray(bytesOf(part));
  }
};

}  // namespace

kj::Own<SnapshotReader> openRocksSnapshot(std::shared_ptr<RocksShared> shared) {
  return kj::heap<RocksSnapshot>(std::move(shared));
}

}  // namespace gavel
