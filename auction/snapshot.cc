#include "auction/snapshot.h"

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>

#include <openssl/evp.h>

#include "auction/archive.h"
#include "auction/integrity.h"

namespace gavel::auction {
namespace {

// SHA-256 of what is written, gathered into pieces that are worth a call of OpenSSL's.
class DigestSink {
public:
  DigestSink(): context(EVP_MD_CTX_new()) {
    if (context == nullptr) throw std::bad_alloc();
    check(EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr));
  }

  void write(const void* data, std::size_t size) {
    if (size > buffer.size() - used) flush();
    if (size > buffer.size()) {
      check(EVP_DigestUpdate(context.get(), data, size));
    } else if (size > 0) {
      std::memcpy(buffer.data() + used, data, size);
      used += size;
    }
  }

  std::array<std::uint8_t, 32> finish() {
    flush();
    std::array<std::uint8_t, 32> digest;
    check(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr));
    return digest;
  }

private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context;
  std::array<std::uint8_t, 4096> buffer;
  std::size_t used = 0;

  void flush() {
    check(EVP_DigestUpdate(context.get(), buffer.data(), used));
    used = 0;
  }
  static void check(int result) {
    if (result != 1) throw std::runtime_error("SHA-256 failed");
  }
};

using Magic = std::array<std::uint8_t, SNAPSHOT_MAGIC.size()>;

Magic magic() {
  Magic bytes;
  std::copy(SNAPSHOT_MAGIC.begin(), SNAPSHOT_MAGIC.end(), bytes.begin());
  return bytes;
}

template <class Record>
void append(const Record& record, std::string& bytes) {
  StringSink sink{bytes};
  Writer writer(sink);
  writer(record);
}

template <class Record>
Record readOnly(std::string_view bytes) {
  Reader reader(bytes);
  Record record;
  reader(record);
  reader.expectEnd();
  return record;
}

// Reads records by rising id, and gives each to `take`.
template <class Record, class Take>
void readRecords(Reader& reader, Take take) {
  std::uint64_t previous = 0;
  for (auto count = reader.readCount<Record>(); count > 0; --count) {
    Record record;
    reader(record);
    if (record.id <= previous) reader.fail("records out of order");
    previous = record.id;
    take(std::move(record));
  }
}

}  // namespace

void encode(const Auction& auction, std::string& bytes) {
  append(auction, bytes);
}
void encode(const Bidder& bidder, std::string& bytes) {
  append(bidder, bytes);
}
void encode(const Session& session, std::string& bytes) {
  append(session, bytes);
}

Auction decodeAuction(std::string_view bytes) {
  return readOnly<Auction>(bytes);
}
Bidder decodeBidder(std::string_view bytes) {
  return readOnly<Bidder>(bytes);
}
Session decodeSession(std::string_view bytes) {
  return readOnly<Session>(bytes);
}

template <class Writer>
void State::write(Writer& writer) const {
  writer(magic(), SNAPSHOT_FORMAT, lastIndex_, lastStamp_);
  writer(std::uint64_t{auctions.size()});
  for (const auto& [id, auction]: auctions.all()) writer(auction);
  writer(std::uint64_t{bidders.size()});
  for (const Bidder& bidder: bidders.all()) writer(bidder);
  writer(std::uint64_t{sessions.size()});
  for (const Session* session: sessions.inOrderOfId()) writer(*session);
}

std::string State::snapshot() const {
  std::string bytes;
  StringSink sink{bytes};
  Writer writer(sink);
  write(writer);
  return bytes;
}

std::array<std::uint8_t, 32> State::hash() const {
  DigestSink sink;
  Writer writer(sink);
  write(writer);
  return sink.finish();
}

State State::restore(std::string_view bytes) {
  Reader reader(bytes);
  const auto require = [&](std::string_view damage) {
    if (!damage.empty()) reader.fail(std::string(damage));
  };

  State state;
  Magic found;
  std::uint32_t format = 0;
  reader(found);
  if (found != magic()) reader.fail("not a snapshot");
  reader(format);
  if (format != SNAPSHOT_FORMAT) reader.fail("snapshot format " + std::to_string(format));
  reader(state.lastIndex_, state.lastStamp_);
  if (state.lastStamp_ < 0) reader.fail("negative stamp");

  // Auctions come before the bidders they refer to, so they are checked when all is read.
  readRecords<Auction>(reader, [&](Auction&& auction) {
    if (state.auctions.find(auction.name) != nullptr) reader.fail("auction's name used twice");
    state.auctions.add(std::move(auction));
  });
  readRecords<Bidder>(reader, [&](Bidder&& bidder) {
    require(findDamage(bidder));
    if (bidder.id != state.bidders.nextId()) reader.fail("bidder missing");
    if (state.bidders.find(bidder.name) != nullptr) reader.fail("bidder's name used twice");
    state.bidders.add(bidder.name, bidder.credential);
  });
  const Surroundings surroundings{state.lastIndex_, state.lastStamp_, state.bidders.size()};
  readRecords<Session>(reader, [&](Session&& session) {
    require(findDamage(session, surroundings));
    if (state.sessions.size() == MAX_SESSIONS) reader.fail("too many sessions");
    state.sessions.add(std::move(session));
  });
  reader.expectEnd();

  for (const auto& [id, auction]: state.auctions.all()) require(findDamage(auction, surroundings));
  if (!state.sessions.sortByUse()) reader.fail("order of the sessions' last use");
  return state;
}

}  // namespace gavel::auction
