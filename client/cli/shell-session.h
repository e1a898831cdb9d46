#pragma once

#include <string>
#include <vector>

#include <kj/function.h>

#include "client/cli/context.h"
#include "client/cli/watch-view.h"
#include "client/watch.h"

namespace gavel::client::cli {

// A bidder's commands in `gavel shell`, and the events of the auction at hand.
class ShellSession {
public:
  // Calls its argument when and where it may print.
  using Aside = kj::Function<void(kj::FunctionParam<void()>)>;

  ShellSession(Context& context, std::string auction, Aside aside);
  KJ_DISALLOW_COPY(ShellSession);

  static std::vector<std::string> commands();
  // Whether this is the command to leave.
  static bool ends(const std::string& line);

  std::string prompt() const;

  // Carries a command out.  Resolves to an exit code, as that of `gavel`.
  kj::Promise<int> carryOut(const std::string& line);

  // Prints how the auction at hand stands, and then its events: bids, that the user is outbid, the
  // time left, the end and the winner.  Continues with the next auction after `use`.
  kj::Promise<void> follow();

private:
  Context& context;
  std::string auction;
  Aside aside;
  Standing standing;
  std::uint64_t epoch = 0;
  kj::Own<Patience> patience;
  kj::Maybe<kj::Own<AuctionWatch>> watch;
  kj::Promise<void> counting = nullptr;  // Counts down to the end that is known now.
  // Resolves when another auction is at hand.
  kj::ForkedPromise<void> changed = nullptr;
  kj::Own<kj::PromiseFulfiller<void>> change;

  void tell(const std::string& line);
  kj::Promise<int> bid(const std::string& amount);
  kj::Promise<int> result();
  kj::Promise<int> history();
  kj::Promise<int> use(const std::string& name);
  kj::Promise<int> watchToTheEnd();
  kj::Promise<void> followThis();
  kj::Promise<void> followOn();
  void expectEndIn(std::int64_t left);
  kj::Promise<void> countDown(std::int64_t left);
  void happened(schema::Version::Reader version);
  void sayIfRelinked();
  bool own(kj::StringPtr name) const;
};

}  // namespace gavel::client::cli
