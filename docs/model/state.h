#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

// The state of the whole system in the model of the rules of docs/design.md.  It is plain bytes,
// and is copied, compared and hashed as such.
//
// A bid is its number, since each bid is placed once.  Bids are the only entries.  Indexes count
// from 0; "up to n" means the first n entries.
namespace gavel::model {

constexpr int MAX_SLOTS = 4;
constexpr int MAX_BIDS = 3;
constexpr int MAX_EPOCHS = 7;
// The epoch of a rebuilt master is this far above those of the lost one.  It stands for 2^20.
constexpr int REBUILD_STEP = 100;

using Byte = std::uint8_t;

// Has at most MAX_BIDS entries.
class Log {
public:
  int size() const { return size_; }
  int operator[](int index) const { return bids >> (2 * index) & 3; }
  void append(int bid) {
    bids = static_cast<Byte>(bids | bid << (2 * size_));
    ++size_;
  }
  void truncate(int size) {
    if (size >= size_) return;
    size_ = static_cast<Byte>(size);
    bids = static_cast<Byte>(bids & ((1 << (2 * size)) - 1));
  }
  Log prefix(int size) const {
    Log log = *this;
    log.truncate(size);
    return log;
  }
  // The number of entries that both have in common, from the start.
  int shared(const Log& other) const {
    int count = 0;
    while (count < size_ && count < other.size_ && (*this)[count] == other[count]) ++count;
    return count;
  }
  bool startsWith(const Log& other) const { return shared(other) == other.size_; }
  bool operator==(const Log&) const = default;

private:
  Byte size_ = 0;
  Byte bids = 0;
};

// A process in a configuration.  A slot is a node with its store, in all its incarnations.
struct Member {
  Byte slot : 3 = 0;
  Byte incarnation : 4 = 0;
  Byte serving : 1 = 0;

  bool operator==(const Member&) const = default;
};

// A predecessor's message: its whole log.  The receiver takes the part that it lacks (R5).
struct Append {
  Log log;
  Byte durable = 0;  // On all nodes upstream.
  Byte commit : 7 = 0;
  Byte present : 1 = 0;

  bool operator==(const Append&) const = default;
};

// A configuration that was stored (in one variant: only announced), with the messages under way on
// its links.  Of each link and direction only the newest message is kept.  Numbers and logs only
// grow within an epoch, so the newest stands for the older ones.
struct Configuration {
  Byte epoch = 0;          // 0: forgotten, as nobody can act in it any more.
  Byte size : 4 = 0;       // Members: the serving ones in order, then at most one that is syncing.
  Byte attached : 1 = 0;   // The tail and the syncing member have sought the last shared position.
  Byte announced : 1 = 0;  // It is announced, but not stored.
  Byte spare : 2 = 0;
  std::array<Member, MAX_SLOTS> members;
  // To each successor, by the place of the successor less one.
  std::array<Append, MAX_SLOTS - 1> appends;
  // From each successor: a serving member's commit index, a syncing one's durable index.  Plus one;
  // 0 is none.
  std::array<Byte, MAX_SLOTS - 1> acks = {};
  // The commit index that the tail sends to the head itself.  Plus one; 0 is none.
  Byte toHead = 0;
  Byte restartedIn = 0;  // The epoch of the last operator's order that gave entries up (R11).

  int serving() const { return size > 0 && !members[size - 1].serving ? size - 1 : size; }
  int tail() const { return serving() - 1; }
  bool hasJoiner() const { return serving() < size; }
};

// A node.  When its process ends, the next one starts at once, and is silent until it is named.
// That is the same as being down.
struct Node {
  Byte incarnation = 0;
  Byte config = 0;         // The configuration in which it acts; 0 is none.
  Log log;                 // In memory and written to the disk, but perhaps not synced.
  Byte durable = 0;        // It believes that entries up to here are durable.
  Byte synced = 0;         // These are durable.  The two differ in a variant only.
  Byte commit = 0;         // It knows that entries up to here are committed.
  Byte heard = 0;          // Durable upstream, as its predecessor said in its epoch.
  Byte heardCommit = 0;    // Syncing: committed, as the tail said.
  Byte barrier = 0;        // As tail: the end of its log when it adopted its configuration (R6).
  Byte joinerDurable = 0;  // As tail: durable at the syncing member, as that said (R9).
  Byte here = 0;           // With min-members: committed in its epoch, as it heard (R18).
  Byte bound = 0;          // On its disk: so many entries are known to be committed (R11).
  Byte boundIn = 0;        // The epoch in which it learned that.
  // With rebuilds: on its disk, the highest epoch that it has adopted.
  Byte newest = 0;
  // The configuration that was its newest when it promised to adopt nothing more of the lost
  // master; 0: it has not promised.
  Byte promisedAt = 0;
  Byte gated : 1 = 0;
  Byte served : 1 = 0;  // Its store served in some configuration.  For a variant only.
  Byte aged : 1 = 0;    // Its store is an older copy, and has not joined since.
  Byte spare : 5 = 0;
};

// A read under way.  The word of each member is taken as soon as the member can give it, and the
// answer is given as soon as it may be.  These are the least favourable moments
// (docs/model/README.md).
struct Query {
  Byte active : 1 = 0;
  Byte asked : 1 = 0;  // In variants a confirm may begin before the query.
  Byte relay : 3 = 0;  // In a variant: the place of the relay whose confirm is joined.
  Byte spare : 3 = 0;
  Byte slot = 0;    // The node that was asked.
  Byte said = 0;    // The members whose word has come, by place in the configuration.
  Byte commit = 0;  // The commit index of the tail.
  Byte due = 0;     // The entries that were acknowledged when it was asked.
};

struct State {
  std::array<Node, MAX_SLOTS> nodes;
  std::array<Configuration, MAX_EPOCHS + 1> configs;  // From index 1 on.
  Byte count = 0;                                     // The number of configurations made.
  Byte last = 0;                                      // The one stored last.
  Member gateOf;  // The syncing member gated in `last`, if that was reported; then `serving`.
  Byte bids = 0;  // The number of bids placed.
  Byte crashes = 0;
  Byte copies = 0;
  Byte orders = 0;
  Byte bound = 0;  // The number of entries that the masters' store says to be committed (R11).
  // While a master is rebuilt: the configuration at which its round asks for promises, and the
  // slots that have promised there.  0: it asks for none.
  Byte base = 0;
  Byte promised = 0;
  Byte rounds = 0;
  // Once it is rebuilt, `last` and `gateOf` are its own.  These are those of the lost master, which
  // may still run.
  Byte lostLast = 0;
  Member lostGateOf;
  Query query;

  // The rest is kept for the properties only.
  Log told;               // Entries that were committed, or that were returned to somebody.
  Byte committed = 0;     // The number of these that some tail has committed.
  Byte acknowledged = 0;  // The number of these that clients know, by an answer or a read.
};

static_assert(std::is_trivially_copyable_v<State> &&
              std::has_unique_object_representations_v<State>);

}  // namespace gavel::model
