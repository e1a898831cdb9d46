#include "master/document.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/debug.h>

#include "base/logging.h"

namespace gavel::master {
namespace {

// Version 1 lacks stores and drained nodes, version 2 the bound, and version 3 the reign.  What is
// missing reads as none.
constexpr std::uint32_t FORMAT_VERSION = 4;
constexpr std::uint32_t OLDEST_FORMAT_VERSION = 1;

const Configuration NONE;

std::string toString(capnp::Text::Reader text) {
  return {text.begin(), text.size()};
}

Document read(schema::MasterDocument::Reader reader) {
  KJ_REQUIRE(reader.getFormatVersion() >= OLDEST_FORMAT_VERSION &&
                 reader.getFormatVersion() <= FORMAT_VERSION,
             "the master's document has a format that this version of gavel-master does not know",
             reader.getFormatVersion(), FORMAT_VERSION);
  Document document;
  document.clusterId = reader.getClusterId();
  for (auto relink: reader.getRelinks()) {
    document.relinks.push_back(
        Relink{Configuration::read(relink.getConfiguration()), relink.getDuration()});
    auto& configuration = document.relinks.back().configuration;
    KJ_REQUIRE(configuration.clusterId == document.clusterId && document.clusterId != 0,
               "the master's document holds a configuration of another cluster",
               configuration.epoch, configuration.clusterId, document.clusterId);
    KJ_REQUIRE(configuration.epoch != 0 && !configuration.members.empty(),
               "the master's document holds an empty configuration", configuration.epoch);
    if (document.relinks.size() > 1) {
      auto before = document.relinks[document.relinks.size() - 2].configuration.epoch;
      KJ_REQUIRE(configuration.epoch == before + 1, "the master's document misses epochs", before,
                 configuration.epoch);
    }
  }
  KJ_REQUIRE(!document.relinks.empty(), "the master's document holds no configuration");
  for (auto store: reader.getStores()) {
    document.stores.push_back(
        StoreRecord{store.getStoreId(), store.getGeneration(), store.getIncarnation()});
  }
  for (auto name: reader.getDrained()) document.drained.push_back(toString(name));
  document.bound = readBound(reader.getBound());
  return document;
}

kj::Array<kj::byte> flatten(capnp::MessageBuilder& message) {
  auto words = capnp::messageToFlatArray(message);
  return kj::heapArray<kj::byte>(words.asBytes());
}

}  // namespace

const Configuration& Document::current() const {
  return relinks.empty() ? NONE : relinks.back().configuration;
}

Document Document::with(Configuration configuration) const {
  KJ_REQUIRE(configuration.epoch == current().epoch + 1, configuration.epoch, current().epoch);
  Document next = *this;
  next.clusterId = configuration.clusterId;
  if (configuration.restartedIn == configuration.epoch) {
    next.bound = {configuration.restartedFrom, configuration.epoch};
  }
  next.relinks.push_back(Relink{std::move(configuration), 0});
  if (next.relinks.size() > KEPT) {
    next.relinks.erase(next.relinks.begin(),
                       next.relinks.end() - static_cast<std::ptrdiff_t>(KEPT));
  }
  return next;
}

void Document::remember(const StoreRecord& record) {
  std::erase_if(stores, [&](auto& each) { return each.storeId == record.storeId; });
  stores.push_back(record);
  for (auto each = stores.begin(); stores.size() > STORES_KEPT && each != stores.end();) {
    auto& members = current().members;
    bool isMember = std::any_of(members.begin(), members.end(), [&](const Member& member) {
      return member.storeId == each->storeId;
    });
    each = isMember ? each + 1 : stores.erase(each);
  }
}

const StoreRecord* Document::findStore(std::uint64_t storeId) const {
  auto found = std::find_if(stores.begin(), stores.end(),
                            [&](auto& each) { return each.storeId == storeId; });
  return found == stores.end() ? nullptr : &*found;
}

kj::Array<kj::byte> Document::encode() const {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<schema::MasterDocument>();
  root.setFormatVersion(FORMAT_VERSION);
  root.setClusterId(clusterId);
  auto list = root.initRelinks(relinks.size());
  for (unsigned i = 0; i < relinks.size(); ++i) {
    relinks[i].configuration.write(list[i].initConfiguration());
    list[i].setDuration(relinks[i].duration);
  }
  auto records = root.initStores(stores.size());
  for (unsigned i = 0; i < stores.size(); ++i) {
    records[i].setStoreId(stores[i].storeId);
    records[i].setGeneration(stores[i].generation);
    records[i].setIncarnation(stores[i].incarnation);
  }
  auto names = root.initDrained(drained.size());
  for (unsigned i = 0; i < drained.size(); ++i) names.set(i, drained[i].c_str());
  writeBound(bound, root.initBound());
  return flatten(message);
}

Document Document::decode(kj::ArrayPtr<const kj::byte> bytes) {
  if (bytes.size() == 0) return {};
  KJ_REQUIRE(bytes.size() % sizeof(capnp::word) == 0, "the master's document is cut off",
             bytes.size());
  auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));  // Aligned.
  std::memcpy(words.begin(), bytes.begin(), bytes.size());
  capnp::FlatArrayMessageReader message(words);
  return read(message.getRoot<schema::MasterDocument>());
}

kj::Array<kj::byte> encodeBound(std::uint64_t clusterId, const Bound& bound) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<schema::BoundRecord>();
  root.setClusterId(clusterId);
  writeBound(bound, root.initBound());
  return flatten(message);
}

Bound decodeBound(std::uint64_t clusterId, kj::ArrayPtr<const kj::byte> bytes) {
  Bound bound;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
                 if (words.size() == 0) return;
                 std::memcpy(words.begin(), bytes.begin(), words.asBytes().size());
                 capnp::FlatArrayMessageReader message(words);
                 auto record = message.getRoot<schema::BoundRecord>();
                 if (record.getClusterId() == clusterId) bound = readBound(record.getBound());
               })) {
    logWarning("the record of what is committed, beside the document, cannot be read",
               {{"error", exception->getDescription()}});
  }
  return bound;
}

Candidate readCandidate(schema::NodeStatus::Reader status) {
  Candidate candidate;
  candidate.member = {toString(status.getName()), toString(status.getAddress()),
                      status.getIncarnation(), status.getStoreId()};
  candidate.clusterId = status.getClusterId();
  candidate.generation = status.getGeneration();
  candidate.last = status.getLast();
  candidate.end = readPosition(status.getEnd());
  candidate.bound = readBound(status.getBound());
  candidate.stored = status.getDurable() >= status.getLast();
  auto damage = status.getDamage();
  candidate.damage = std::string(damage.begin(), kj::min(damage.size(), MAX_REASON));
  candidate.unsynced = status.getUnsynced();
  candidate.promised = status.getPromisedEpoch();
  return candidate;
}

}  // namespace gavel::master
