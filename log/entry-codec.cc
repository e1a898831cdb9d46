#include "log/entry-codec.h"

#include <cstring>

#include <kj/debug.h>

#include "base/text-view.h"
#include "wire/terms.h"

namespace gavel {
namespace {

template <class... Ts>
struct Overloaded: Ts... {
  using Ts::operator()...;
};

auction::Identity decodeIdentity(schema::StoredIdentity::Reader reader) {
  auction::Identity identity{view(reader.getName()), {}};
  const std::uint64_t parts[] = {reader.getCredential0(), reader.getCredential1(),
                                 reader.getCredential2(), reader.getCredential3()};
  static_assert(sizeof(parts) == sizeof(identity.credential));
  std::memcpy(identity.credential.data(), parts, sizeof(parts));
  return identity;
}

void encodeIdentity(const auction::Identity& identity, schema::StoredIdentity::Builder builder) {
  copyText(identity.name, builder.initName(sizeOf(identity.name)));
  std::uint64_t parts[4];
  static_assert(sizeof(parts) == sizeof(identity.credential));
  std::memcpy(parts, identity.credential.data(), sizeof(parts));
  builder.setCredential0(parts[0]);
  builder.setCredential1(parts[1]);
  builder.setCredential2(parts[2]);
  builder.setCredential3(parts[3]);
}

}  // namespace

auction::Entry decodeEntry(schema::Entry::Reader reader, std::uint64_t index) {
  auction::Entry entry;
  entry.index = index;
  entry.stamp = reader.getStamp();
  entry.request = {reader.getSession(), reader.getSequence(), reader.getLowestIncomplete()};
  auto command = reader.getCommand();
  switch (command.which()) {
    case schema::Entry::Command::OPEN_SESSION:
      entry.command = auction::OpenSession{};
      return entry;
    case schema::Entry::Command::EXPIRE_SESSIONS:
      entry.command = auction::ExpireSessions{command.getExpireSessions().getIdleSince(),
                                              command.getExpireSessions().getLimit()};
      return entry;
    case schema::Entry::Command::BID: {
      auto bid = command.getBid();
      entry.command =
          auction::Bid{view(bid.getAuction()), decodeIdentity(bid.getBidder()), bid.getAmount()};
      return entry;
    }
    case schema::Entry::Command::CREATE: {
      auto create = command.getCreate();
      entry.command =
          auction::CreateAuction{view(create.getAuction()), decodeIdentity(create.getOwner()),
                                 wire::readTerms(create.getTerms())};
      return entry;
    }
    case schema::Entry::Command::CLOSE: {
      auto close = command.getClose();
      entry.command =
          auction::CloseAuction{view(close.getAuction()), decodeIdentity(close.getOwner())};
      return entry;
    }
    case schema::Entry::Command::CANCEL: {
      auto cancel = command.getCancel();
      entry.command =
          auction::CancelAuction{view(cancel.getAuction()), decodeIdentity(cancel.getOwner())};
      return entry;
    }
    case schema::Entry::Command::CLOSE_EXPIRED:
      entry.command = auction::CloseExpired{command.getCloseExpired().getLimit()};
      return entry;
    case schema::Entry::Command::CLOSE_DUE:
      entry.command = auction::CloseDue{view(command.getCloseDue().getAuction())};
      return entry;
    case schema::Entry::Command::TICK:
      entry.command = auction::Tick{};
      return entry;
  }
  KJ_FAIL_REQUIRE("log entry with a command that this version does not know", index,
                  static_cast<unsigned>(command.which()));
}

void encodeEntry(const auction::Entry& entry, schema::Entry::Builder builder) {
  builder.setStamp(entry.stamp);
  builder.setSession(entry.request.session);
  builder.setSequence(entry.request.sequence);
  builder.setLowestIncomplete(entry.request.lowestIncomplete);
  auto to = builder.initCommand();
  std::visit(Overloaded{
                 [&](const auction::OpenSession&) { to.setOpenSession(); },
                 [&](const auction::ExpireSessions& expire) {
                   auto group = to.initExpireSessions();
                   group.setIdleSince(expire.idleSince);
                   group.setLimit(expire.limit);
                 },
                 [&](const auction::Bid& bid) {
                   auto group = to.initBid();
                   copyText(bid.auction, group.initAuction(sizeOf(bid.auction)));
                   encodeIdentity(bid.bidder, group.initBidder());
                   group.setAmount(bid.amount);
                 },
                 [&](const auction::CreateAuction& create) {
                   auto group = to.initCreate();
                   copyText(create.auction, group.initAuction(sizeOf(create.auction)));
                   encodeIdentity(create.owner, group.initOwner());
                   wire::writeTerms(create.terms, group.initTerms());
                 },
                 [&](const auction::CloseAuction& close) {
                   auto group = to.initClose();
                   copyText(close.auction, group.initAuction(sizeOf(close.auction)));
                   encodeIdentity(close.owner, group.initOwner());
                 },
                 [&](const auction::CancelAuction& cancel) {
                   auto group = to.initCancel();
                   copyText(cancel.auction, group.initAuction(sizeOf(cancel.auction)));
                   encodeIdentity(cancel.owner, group.initOwner());
                 },
                 [&](const auction::Tick&) { to.setTick(); },
                 [&](const auction::CloseExpired& expired) {
                   to.initCloseExpired().setLimit(expired.limit);
                 },
                 [&](const auction::CloseDue& due) {
                   copyText(due.auction, to.initCloseDue().initAuction(sizeOf(due.auction)));
                 },
             },
             entry.command);
}

}  // namespace gavel
