#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include <kj/async.h>

#include "client/client.h"
#include "tests/history/history.h"

namespace gavel::history {

// The outcome in an answer to a query.  `unknown` if nobody could answer.
Outcome outcomeOf(schema::Auctioneer::Answer::Reader answer);
Version versionOf(schema::Version::Reader reader);

// Acts under a name, and records requests and their outcomes.
//
// If the promise of a call is dropped, its operation stays in the history without an end.  `client`
// and `history` must outlive this object, and this object its promises.
class RecordingClient {
public:
  struct Settings {
    std::uint32_t number = 0;
    std::string name;
    // Whether it shows another credential than the others with the same name.  One that is no
    // impostor must have registered the name before.
    bool impostor = false;
  };
  using Now = std::function<std::int64_t()>;

  // `now` is the clock that all clients of the history share.  Events at the same time keep their
  // order: see History::moment().
  RecordingClient(client::Client& client, History& history, Settings settings, Now now);
  KJ_DISALLOW_COPY(RecordingClient);

  const std::string& name() const { return settings.name; }

  // Each resolves, once the operation has ended, to its number in the history.
  kj::Promise<History::Id> create(const std::string& auction, const Terms& terms);
  kj::Promise<History::Id> bid(const std::string& auction, std::int64_t amount);
  kj::Promise<History::Id> close(const std::string& auction);
  kj::Promise<History::Id> cancel(const std::string& auction);
  kj::Promise<History::Id> result(const std::string& auction);

  // Whether that operation has ended with an unknown outcome that can be asked for again.
  bool mayAskAgain(History::Id id) const { return requests.count(id) > 0; }
  // Asks again, by its request id.
  kj::Promise<History::Id> askAgain(History::Id id);

  // Reads all versions of an auction, however long it takes, and records them.  Nothing may be
  // under way on it.
  kj::Promise<void> readFinal(const std::string& auction);

private:
  client::Client& client;
  History& history;
  Settings settings;
  kj::Array<kj::byte> credential;
  Now now;
  // The ids of operations with an unknown outcome.
  std::map<History::Id, client::RequestId> requests;

  client::Identity identity() const;
  Operation operation(Kind kind, const std::string& auction) const;
  History::Id begin(Operation operation);
  kj::Promise<client::WriteResult> send(const Operation& operation,
                                        kj::Maybe<client::RequestId> retryOf);
  kj::Promise<History::Id> write(History::Id id, kj::Maybe<client::RequestId> retryOf);
  kj::Promise<void> readPages(FinalHistory final);
};

}  // namespace gavel::history
