#include <array>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include <openssl/evp.h>

#include "auction/records.h"
#include "auction/state.h"

namespace gavel::auction {
namespace {

// Makes the SHA-256 of records.  It gathers them into pieces that are worth a call of OpenSSL.
class Hasher {
public:
  Hasher(): context(EVP_MD_CTX_new()) {
    if (context == nullptr) throw std::bad_alloc();
    check(EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr));
  }

  template <class Value>
  void add(const Value& value) {
    encode(value, gathered);
    if (gathered.size() >= PIECE) flush();
  }

  std::array<std::uint8_t, 32> finish() {
    flush();
    std::array<std::uint8_t, 32> digest;
    check(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr));
    return digest;
  }

private:
  static constexpr std::size_t PIECE = 16 * 1024;

  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context;
  std::string gathered;

  void flush() {
    check(EVP_DigestUpdate(context.get(), gathered.data(), gathered.size()));
    gathered.clear();
  }
  static void check(int result) {
    if (result != 1) throw std::runtime_error("SHA-256 failed");
  }
};

}  // namespace

std::array<std::uint8_t, 32> State::hash() const {
  Hasher hasher;
  hasher.add(totals());
  for (const auto& [id, auction]: auctions.all()) {
    if (auction.phase == Auction::Phase::open) hasher.add(auction);
  }
  for (const Bidder& bidder: bidders.all()) hasher.add(bidder);
  for (const Session* session: sessions.inOrderOfId()) hasher.add(*session);
  return hasher.finish();
}

}  // namespace gavel::auction
