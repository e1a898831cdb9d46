#pragma once

#include <map>
#include <string>

#include <kj/vector.h>

#include "base/random.h"
#include "client/connection-pool.h"
#include "client/message.h"

namespace gavel::client {

// Which nodes a call may go to, and in which order.
struct Route {
  enum class To {
    head,     // An odd attempt goes to another node, which forwards the call.
    tail,     // Likewise.
    serving,  // All serving members are equally good: each attempt goes to the next one.
    only,     // One node and no other, even if it fails.
  };

  To to = To::head;
  // serving: the member at which the call begins, counted modulo their number.
  std::uint64_t turn = 0;
  // only: a member's name in the configuration, or its address there.
  std::string node = {};
};

// Knows who is in the chain, starting from any one address.
//
// Every node and every master reports the newest configuration that it knows.  The highest epoch
// wins.  The addresses given at the start are never forgotten.
//
// Only one cluster counts for as long as this object lives (R11): the expected one, or else the
// first one met.  A session of one cluster means nothing, or worse, in another one.  An empty chain
// at the addresses of a lost one would answer "no such auction" to everything.  Therefore each
// connection is first asked for its cluster, and no call goes to a process of another cluster or of
// none yet.
//
// Correctness does not rest on this class: the wrong node forwards or refuses a call.  A process
// that is paused or cut off never answers.  Therefore each question has its own time limit, and no
// answer waits for the slowest.
class ChainLocator final: private kj::TaskSet::ErrorHandler {
public:
  struct Limits {
    kj::Duration connect = 250 * kj::MILLISECONDS;
    // One process has this long to report what it knows of the chain.
    kj::Duration ask = 400 * kj::MILLISECONDS;
    // After the first answer, newer ones are waited for this long.
    kj::Duration grace = 30 * kj::MILLISECONDS;
  };

  // `seeds`: "host:port" of any nodes or masters, at least one.  `network` and `timer` must outlive
  // this object.
  ChainLocator(kj::Network& network, kj::Timer& timer, kj::ArrayPtr<const kj::String> seeds);
  ChainLocator(kj::Network& network, kj::Timer& timer, kj::ArrayPtr<const kj::String> seeds,
               Limits limits);
  ~ChainLocator() noexcept(false);
  KJ_DISALLOW_COPY(ChainLocator);

  // From now on only cluster `id` counts.  Call this before anything else.
  void expectCluster(std::uint64_t id) { cluster_ = id; }
  // The cluster that counts; 0: none yet.
  std::uint64_t cluster() const { return cluster_; }
  // The last other cluster that was met; 0: none.
  std::uint64_t otherCluster() const { return otherCluster_; }

  // The newest known configuration; null while none is known.  Valid until the next event.
  kj::Maybe<schema::Configuration::Reader> configuration() const;
  // 0 while there is none.
  std::uint64_t epoch() const;

  // Asks all known addresses at once.  Resolves as soon as one has reported a newer configuration,
  // or `grace` after the first answer, or when all have answered or failed.  Never fails.
  kj::Promise<void> refresh();

  // The node for attempt number `attempt` (from 0) of a call.  For the head or tail, even numbers
  // go to that node and odd ones to the others in turn, because every node forwards.  For all
  // serving members, they take turns; those with a problem at the last contact are left out if
  // others remain.  Asks for the configuration first if none is known.  Fails if the node cannot be
  // reached or none is known; then nothing of the call has left this process.
  kj::Promise<kj::Own<Peer>> node(const Route& route, unsigned attempt);

  // Why `route` leads nowhere, for people.  Either its only node is no serving member of the newest
  // configuration, or no configuration is known and those who answered belong to another cluster.
  // Null if the route leads somewhere, or may do so later.
  kj::Maybe<kj::String> refusal(const Route& route) const;

  // A connection to the process at one address.  Fails if that belongs to another cluster.
  kj::Promise<kj::Own<Peer>> peer(kj::StringPtr address);

  // Reports that a call on `peer` failed.  Its connection is not used again, unless the peer itself
  // gave that answer.
  void complain(Peer& peer, const kj::Exception& exception);
  // Reports that a call on `peer` is overdue.  Its connection is not used again, but stays open for
  // that call.
  void overdue(Peer& peer);

  // Every address worth asking: the seeds, then the members that are not among them.
  kj::Vector<kj::String> addresses() const;

  // Why nobody answers, with every address: "127.0.0.1:7400: connection refused; ...".
  kj::String problems() const;

private:
  // One refresh(), shared by all who ask for it while it runs.
  class Round;

  // What is known of an address apart from its connection.
  struct Standing {
    bool beingAsked = false;
    bool master = false;  // Serves no auctions.
    kj::String problem;   // Empty: none at the last contact.
  };

  kj::Timer& timer;
  Limits limits;
  kj::Array<kj::String> seeds;
  ConnectionPool pool;
  std::uint64_t cluster_ = 0;
  std::uint64_t otherCluster_ = 0;
  kj::Maybe<Message<schema::Configuration>> newest;
  std::map<std::string, Standing> standings;
  kj::Maybe<kj::Own<Round>> round;
  kj::ForkedPromise<void> roundOver = nullptr;
  // Questions to connections whose cluster is not known yet, by serial number.
  struct Identifying {
    kj::ForkedPromise<void> answered = nullptr;
    bool over = false;
  };
  std::map<std::uint64_t, Identifying> identifying;
  kj::TaskSet tasks;

  kj::Promise<void> ask(kj::StringPtr address);
  void adopt(Peer& peer, schema::Configuration::Reader told);
  kj::Promise<void> identify(Peer& peer);
  // Which clusters will do: this one or none yet, or this one only.  Calls of the auction service
  // need `here`.
  enum class Belonging { notElsewhere, here };
  kj::Promise<kj::Own<Peer>> identified(kj::StringPtr address, Belonging needed);
  kj::Own<Peer> admit(kj::Own<Peer> peer, Belonging needed);
  kj::String strangerText(std::uint64_t other) const;
  bool isAsking() const;
  // The serving members of the newest configuration, from head to tail; empty while none is known.
  kj::Vector<schema::Member::Reader> serving() const;
  kj::Promise<kj::Own<Peer>> pick(const Route& route, unsigned attempt);
  // The address to which attempt number `attempt` goes; empty if there is none.
  kj::String choose(const Route& route, unsigned attempt) const;
  kj::String detour(kj::StringPtr preferred, unsigned number) const;
  bool hasProblem(kj::StringPtr address) const;
  void taskFailed(kj::Exception&& exception) override;
};

// The description of an exception, for people: without the source positions and values that KJ
// adds.
kj::String reasonOf(const kj::Exception& exception);

}  // namespace gavel::client
