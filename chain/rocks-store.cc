#include "chain/rocks-store.h"

#include <cstring>
#include <mutex>
#include <string>
#include <vector>
#include <xxhash.h>

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/debug.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "base/logging.h"

namespace gavel::chain {
namespace {

constexpr char FORMAT_KEY[] = "format";
constexpr char FORMAT[] = "1";
constexpr char STORE_ID_KEY[] = "store-id";
constexpr char CONFIGURATION_KEY[] = "configuration";
constexpr char LOG_PREFIX[] = "log/";
constexpr char LOG_END[] = "log0";  // The first key behind all that begin with LOG_PREFIX.

std::string logKey(std::uint64_t index) {
  std::string key = LOG_PREFIX;
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(index >> shift));
  return key;
}

rocksdb::Slice slice(kj::ArrayPtr<const kj::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.begin()), bytes.size()};
}

kj::ArrayPtr<const kj::byte> bytesOf(const std::string& text) {
  return {reinterpret_cast<const kj::byte*>(text.data()), text.size()};
}

rocksdb::Options options() {
  rocksdb::Options options;
  options.create_if_missing = true;
  // Overwriting a recycled file needs no allocation and no change of its size, so that an fsync of
  // it takes about half the time.
  options.recycle_log_file_num = 2;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.keep_log_file_num = 4;
  options.max_open_files = 256;
  return options;
}

}  // namespace

// What has gathered for the next write.
struct RocksStore::Pending {
  struct Save {
    kj::Array<kj::byte> value;
    kj::Own<kj::CrossThreadPromiseFulfiller<void>> fulfiller;
  };

  std::mutex mutex;
  std::vector<BatchPtr> batches;
  std::vector<Save> saves;
  bool scheduled = false;
  std::uint64_t durable = 0;
  std::uint64_t awaitedAbove = 0;
  kj::Maybe<kj::Own<kj::CrossThreadPromiseFulfiller<std::uint64_t>>> awaited;
};

RocksStore::RocksStore(kj::StringPtr directory, SyncMode sync, Random& random)
    : directory(kj::str(directory)), sync(sync), pending(std::make_unique<Pending>()) {
  open(random);
  readConfiguration();
  readLogEnd();
  pending->durable = recovered_.logEnd.index;
}

RocksStore::~RocksStore() noexcept(false) = default;

// For operators: what is wrong with which directory, without source positions.
void RocksStore::require(bool holds, kj::StringPtr problem, const std::string& why) const {
  if (holds) return;
  kj::throwFatalException(kj::Exception(
      kj::Exception::Type::FAILED, __FILE__, __LINE__,
      kj::str("the data directory ", directory, " ", problem, " (", why.c_str(), ")")));
}

void RocksStore::open(Random& random) {
  rocksdb::DB* opened = nullptr;
  auto status = rocksdb::DB::Open(options(), directory.cStr(), &opened);
  auto why = status.ToString();
  require(why.find("/LOCK: ") == std::string::npos,
          "is in use by another process: stop that one, or give another --data", why);
  require(status.ok(),
          "cannot be opened: give one that is writable, and empty or made by gavel-node", why);
  db.reset(opened);

  std::string format;
  status = db->Get(rocksdb::ReadOptions(), FORMAT_KEY, &format);
  if (status.IsNotFound()) {
    recovered_.storeId = random.id();
    rocksdb::WriteBatch batch;
    KJ_ASSERT(batch.Put(FORMAT_KEY, FORMAT).ok());
    KJ_ASSERT(batch
                  .Put(STORE_ID_KEY,
                       {reinterpret_cast<const char*>(&recovered_.storeId), sizeof(uint64_t)})
                  .ok());
    rocksdb::WriteOptions write;
    write.sync = true;
    status = db->Write(write, &batch);
    require(status.ok(), "cannot be formatted", status.ToString());
    return;
  }
  require(status.ok(), "cannot be read", status.ToString());
  require(format == FORMAT, "has a format that this version of gavel-node does not know", format);
  std::string id;
  status = db->Get(rocksdb::ReadOptions(), STORE_ID_KEY, &id);
  require(status.ok() && id.size() == sizeof(recovered_.storeId), "has no store id: it is damaged",
          status.ToString());
  std::memcpy(&recovered_.storeId, id.data(), id.size());
}

void RocksStore::readConfiguration() {
  std::string value;
  auto status = db->Get(rocksdb::ReadOptions(), CONFIGURATION_KEY, &value);
  if (status.IsNotFound()) return;
  require(status.ok(), "cannot be read at its configuration", status.ToString());
  std::uint64_t checksum = 0;
  require(value.size() > sizeof(checksum) && value.size() % sizeof(capnp::word) == 0,
          "is damaged: its configuration has an impossible size", std::to_string(value.size()));
  std::memcpy(&checksum, value.data(), sizeof(checksum));
  auto words = kj::heapArray<capnp::word>(value.size() / sizeof(capnp::word) - 1);
  std::memcpy(words.asBytes().begin(), value.data() + sizeof(checksum), words.asBytes().size());
  require(checksum == XXH3_64bits(words.begin(), words.asBytes().size()),
          "is damaged: its configuration has a wrong checksum", CONFIGURATION_KEY);
  capnp::FlatArrayMessageReader reader(words);
  recovered_.configuration = Configuration::read(reader.getRoot<schema::Configuration>());
}

void RocksStore::readLogEnd() {
  std::unique_ptr<rocksdb::Iterator> iterator(db->NewIterator(rocksdb::ReadOptions()));
  iterator->SeekForPrev(LOG_END);
  require(iterator->status().ok(), "cannot be read at its log's end",
          iterator->status().ToString());
  if (!iterator->Valid() || !iterator->key().starts_with(LOG_PREFIX)) return;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 auto last = iterator->value().ToString();
                 recovered_.logEnd = Batch::parse(bytesOf(last))->end();
               })) {
    require(false, "is damaged at its log's end", exception->getDescription().cStr());
  }
}

void RocksStore::append(BatchPtr batch) {
  std::lock_guard<std::mutex> lock(pending->mutex);
  pending->batches.push_back(std::move(batch));
  schedule();
}

kj::Promise<std::uint64_t> RocksStore::durableAbove(std::uint64_t index) {
  std::lock_guard<std::mutex> lock(pending->mutex);
  if (pending->durable > index) return kj::cp(pending->durable);
  auto paf = kj::newPromiseAndCrossThreadFulfiller<std::uint64_t>();
  pending->awaitedAbove = index;
  pending->awaited = kj::mv(paf.fulfiller);
  return kj::mv(paf.promise);
}

kj::Promise<void> RocksStore::saveConfiguration(const Configuration& configuration) {
  capnp::MallocMessageBuilder builder;
  configuration.write(builder.initRoot<schema::Configuration>());
  auto words = capnp::messageToFlatArray(builder);
  auto checksum = XXH3_64bits(words.begin(), words.asBytes().size());
  auto value = kj::heapArray<kj::byte>(sizeof(checksum) + words.asBytes().size());
  std::memcpy(value.begin(), &checksum, sizeof(checksum));
  std::memcpy(value.begin() + sizeof(checksum), words.begin(), words.asBytes().size());

  auto paf = kj::newPromiseAndCrossThreadFulfiller<void>();
  std::lock_guard<std::mutex> lock(pending->mutex);
  pending->saves.push_back({kj::mv(value), kj::mv(paf.fulfiller)});
  schedule();
  return kj::mv(paf.promise);
}

// With the mutex held.  One job takes all that has gathered by the time it runs.
void RocksStore::schedule() {
  if (pending->scheduled) return;
  pending->scheduled = true;
  thread.post([this]() { writePending(); });
}

void RocksStore::writePending() {
  std::vector<BatchPtr> batches;
  std::vector<Pending::Save> saves;
  {
    std::lock_guard<std::mutex> lock(pending->mutex);
    pending->scheduled = false;
    batches.swap(pending->batches);
    saves.swap(pending->saves);
  }

  rocksdb::WriteBatch write;
  rocksdb::Status status;
  for (auto& batch: batches) {
    if (status.ok()) status = write.Put(logKey(batch->firstIndex()), slice(batch->bytes()));
  }
  for (auto& save: saves) {
    if (status.ok()) status = write.Put(CONFIGURATION_KEY, slice(save.value));
  }
  rocksdb::WriteOptions how;
  how.sync = sync == SyncMode::always;
  if (status.ok()) status = db->Write(how, &write);
  if (!status.ok()) {
    // What the disk now holds is unknown, and a second try may succeed without having written what
    // the first one lost (R12).
    die("cannot write to the data directory: leaving the chain",
        {{"directory", directory.asPtr()}, {"error", status.ToString()}});
  }

  for (auto& save: saves) save.fulfiller->fulfill();
  if (batches.empty()) return;
  std::lock_guard<std::mutex> lock(pending->mutex);
  pending->durable = batches.back()->lastIndex();
  KJ_IF_MAYBE (waiting, pending->awaited) {
    if (pending->durable > pending->awaitedAbove) {
      (*waiting)->fulfill(kj::cp(pending->durable));
      pending->awaited = nullptr;
    }
  }
}

}  // namespace gavel::chain
