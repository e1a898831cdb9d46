#pragma once

#include <map>
#include <string>

#include <kj/vector.h>

#include "base/random.h"
#include "client/connection-pool.h"
#include "client/message.h"

namespace gavel::client {

// Which nodes a call may go to, and which of them first.
struct Route {
  enum class To {
    head,     // Any other node too where that gives no answer: it forwards.
    tail,     // Likewise.
    serving,  // All serving members are equally good: each attempt goes to the next one.
    only,     // One, and no other, whatever comes of it.
  };

  To to = To::head;
  // serving: the member at which the call begins, counted modulo their number.
  std::uint64_t turn = 0;
  // only: a member's name in the configuration, or its address there.
  std::string node = {};
};

// Knows who is in the chain, from any one address.
//
// Every node and every master tells the newest configuration it knows; the highest epoch wins, and
// the addresses given at the start are never forgotten.
//
// Only one cluster counts for as long as this object lives (R11): the one it was told to expect, or
// the first that was met.  A session of one cluster means nothing, or worse, in another, and an
// empty chain at the addresses of one that was lost would say "no such auction" of everything.  So
// each connection is first asked what it belongs to, and no call goes to a process of another
// cluster, or of none yet.
//
// Nothing here is trusted for correctness: a call that goes to the wrong node is forwarded or
// refused there.  A paused or cut-off process never answers, so each question has its own time
// limit, and no answer waits for the slowest.
class ChainLocator final: private kj::TaskSet::ErrorHandler {
public:
  struct Limits {
    kj::Duration connect = 250 * kj::MILLISECONDS;
    // For one process to say what it knows of the chain.
    kj::Duration ask = 400 * kj::MILLISECONDS;
    // After the first answer, for one that may be newer.
    kj::Duration grace = 30 * kj::MILLISECONDS;
  };

  // `seeds`: "host:port" of any nodes or masters, at least one.  `network` and `timer` must outlive
  // this object.
  ChainLocator(kj::Network& network, kj::Timer& timer, kj::ArrayPtr<const kj::String> seeds);
  ChainLocator(kj::Network& network, kj::Timer& timer, kj::ArrayPtr<const kj::String> seeds,
               Limits limits);
  ~ChainLocator() noexcept(false);
  KJ_DISALLOW_COPY(ChainLocator);

  // From now on only this one counts.  Before anything else.
  void expectCluster(std::uint64_t id) { cluster_ = id; }
  // The one that counts; 0: none yet.
  std::uint64_t cluster() const { return cluster_; }
  // Another one that was met, last; 0: none.
  std::uint64_t otherCluster() const { return otherCluster_; }

  // The newest configuration heard of; null while there is none.  Good until the next event.
  kj::Maybe<schema::Configuration::Reader> configuration() const;
  // 0 while there is none.
  std::uint64_t epoch() const;

  // Asks all known addresses at once.  Resolves as soon as one has told a newer configuration, a
  // moment after the first answer, or when nothing more is to be expected; never fails.
  kj::Promise<void> refresh();

  // The node for attempt number `attempt` (from 0) of a call.  To the head or tail: that one for
  // even numbers, each of the others in turn for odd ones, since every node forwards.  To any
  // serving member: they take turns, but for those with which something was wrong at the last
  // contact.  Asks for the configuration first where none is known.  Fails if the node cannot be
  // reached, or none is known; then nothing of the call has left this process.
  kj::Promise<kj::Own<Peer>> node(const Route& route, unsigned attempt);

  // Why `route` leads nowhere, for people: the only node that it allows is no serving member of the
  // newest configuration; or, where none is known, all who have answered belong to another cluster.
  // Null if it leads somewhere, or that may still come.
  kj::Maybe<kj::String> refusal(const Route& route) const;

  // A connection to one address, for asking that very process.  Fails if that belongs to another
  // cluster.
  kj::Promise<kj::Own<Peer>> peer(kj::StringPtr address);

  // A call on `peer` failed.  Unless the peer itself said so, its connection is not used again.
  void complain(Peer& peer, const kj::Exception& exception);
  // A call on `peer` is overdue.  Its connection is not used again, but stays with that call.
  void overdue(Peer& peer);

  // Every address worth asking: the seeds, then members that are not among them.
  kj::Vector<kj::String> addresses() const;

  // Why there is no answer, naming every address: "127.0.0.1:7400: connection refused; ...".
  kj::String problems() const;

private:
  // One refresh(), shared by all who ask for it while it runs.
  class Round;

  // What is known of an address besides the connection.
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
  // What connections are being asked that have not told yet what they belong to, by serial number.
  struct Identifying {
    kj::ForkedPromise<void> answered = nullptr;
    bool over = false;
  };
  std::map<std::uint64_t, Identifying> identifying;
  kj::TaskSet tasks;

  kj::Promise<void> ask(kj::StringPtr address);
  void adopt(Peer& peer, schema::Configuration::Reader told);
  kj::Promise<void> identify(Peer& peer);
  // Also of none yet, or only this one: for calls of the auction service.
  enum class Belonging { notElsewhere, here };
  kj::Promise<kj::Own<Peer>> identified(kj::StringPtr address, Belonging needed);
  kj::Own<Peer> admit(kj::Own<Peer> peer, Belonging needed);
  kj::String strangerText(std::uint64_t other) const;
  bool isAsking() const;
  // Of the newest configuration, from head to tail; empty while none is known.
  kj::Vector<schema::Member::Reader> serving() const;
  kj::Promise<kj::Own<Peer>> pick(const Route& route, unsigned attempt);
  // The address to which that attempt goes; empty if there is none.
  kj::String choose(const Route& route, unsigned attempt) const;
  kj::String detour(kj::StringPtr preferred, unsigned number) const;
  bool hasProblem(kj::StringPtr address) const;
  void taskFailed(kj::Exception&& exception) override;
};

// What went wrong, in a few words for people: without the source positions and values that KJ adds.
kj::String reasonOf(const kj::Exception& exception);

}  // namespace gavel::client
