#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

// The state of the whole system in the model of docs/design.md's protocol rules: plain bytes, so
// that it is copied, compared and hashed as such.
//
// A bid is its number, as each is placed once; bids are the only entries.  Indexes count from 0;
// "up to n" means the first n entries.
namespace gavel::model {

constexpr int MAX_SLOTS = 4;
constexpr int MAX_BIDS = 3;
constexpr int MAX_EPOCHS = 7;
// How far the epoch of a rebuilt master is above those of the lost one: stands for 2^20.
constexpr int REBUILD_STEP = 100;

using Byte = std::uint8_t;

// At most MAX_BIDS entries.
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
  // How many entries the two have in common from the start.
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

// What a predecessor sends: its whole log, of which the receiver takes what it lacks (R5).
struct Append {
  Log log;
  Byte durable = 0;  // On all nodes upstream.
  Byte commit : 7 = 0;
  Byte present : 1 = 0;

  bool operator==(const Append&) const = default;
};

// A configuration that was stored, or, in one variant, only announced; with the messages that are
// under way on its links.  Of each link and direction the newest is kept: numbers and logs only
// grow within an epoch, so that it stands for those before it.
struct Configuration {
  Byte epoch = 0;          // 0: forgotten, as nobody can act in it any more.
  Byte size : 4 = 0;       // Members: the serving ones in order, then at most one that is syncing.
  Byte attached : 1 = 0;   // The tail and the syncing member have sought the last shared position.
  Byte announced : 1 = 0;  // But not stored.
  Byte spare : 2 = 0;
  std::array<Member, MAX_SLOTS> members;
  // By the place of the successor, less one: to it, and from it.
  std::array<Append, MAX_SLOTS - 1> appends;
  // A serving member's commit index, a syncing one's durable index; plus one, 0 is none.
  std::array<Byte, MAX_SLOTS - 1> acks = {};
  // What the tail says to the head itself to be committed; plus one, 0 is none.
  Byte toHead = 0;
  Byte restartedIn = 0;  // The epoch of the last operator's order that gave entries up (R11).

  int serving() const { return size > 0 && !members[size - 1].serving ? size - 1 : size; }
  int tail() const { return serving() - 1; }
  bool hasJoiner() const { return serving() < size; }
};

// A node.  When its process ends, the next one starts at once and is silent until it is named,
// which is the same as being down.
struct Node {
  Byte incarnation = 0;
  Byte config = 0;         // Which one it acts in; 0 is none.
  Log log;                 // In memory, and written to the disk, though not synced.
  Byte durable = 0;        // What it holds to be durable: up to here.
  Byte synced = 0;         // What is.  The two differ in a variant only.
  Byte commit = 0;         // What it knows to be committed.
  Byte heard = 0;          // What its predecessor said in its epoch to be durable upstream.
  Byte heardCommit = 0;    // Syncing: what the tail said to be committed.
  Byte barrier = 0;        // As tail: its log's end when it adopted its configuration (R6).
  Byte joinerDurable = 0;  // As tail: what the syncing member told (R9).
  Byte here = 0;           // With min-members: what it heard to be committed in its epoch (R18).
  Byte bound = 0;          // On its disk: so many entries it has known to be committed (R11),
  Byte boundIn = 0;        // and the epoch in which.
  // With rebuilds: on its disk, the highest epoch that it has adopted,
  Byte newest = 0;
  // and the configuration that was its newest when it promised to adopt nothing of the lost master
  // any more; 0: it has not.
  Byte promisedAt = 0;
  Byte gated : 1 = 0;
  Byte served : 1 = 0;  // Its store served in some configuration.  For a variant only.
  Byte aged : 1 = 0;    // Its store is an older copy, and has not joined since.
  Byte spare : 5 = 0;
};

// A read under way.  Every member's word is taken as soon as it can give it, and the answer given
// as soon as it may be: the least favourable moments (README.md).
struct Query {
  Byte active : 1 = 0;
  Byte asked : 1 = 0;  // In variants a confirm may begin before the query is there.
  Byte relay : 3 = 0;  // Place of the relay whose confirm is joined, in a variant.
  Byte spare : 3 = 0;
  Byte slot = 0;    // Who was asked.
  Byte said = 0;    // Whose word has come, by place in the configuration.
  Byte commit = 0;  // The tail's.
  Byte due = 0;     // What was acknowledged when it was asked.
};

struct State {
  std::array<Node, MAX_SLOTS> nodes;
  std::array<Configuration, MAX_EPOCHS + 1> configs;  // From 1 on.
  Byte count = 0;                                     // Configurations made.
  Byte last = 0;                                      // The one stored last.
  Member gateOf;  // The syncing member whose gate was reported for it; `serving` if there is one.
  Byte bids = 0;  // Placed.
  Byte crashes = 0;
  Byte copies = 0;
  Byte orders = 0;
  Byte bound = 0;  // So many entries the masters' store says to be committed (R11).
  // While a master is being rebuilt: the configuration at which its round asks for promises, and
  // the slots that have given them there.  0: it asks for none.
  Byte base = 0;
  Byte promised = 0;
  Byte rounds = 0;
  // Once it is rebuilt, `last` and `gateOf` are its own, and these the lost one's, which may not be
  // lost after all.
  Byte lostLast = 0;
  Member lostGateOf;
  Query query;

  // Kept for the properties only.
  Log told;               // Entries that were committed or that somebody was told of.
  Byte committed = 0;     // So many of them at some tail.
  Byte acknowledged = 0;  // So many of them to clients: as bid placed, or in a read.
};

static_assert(std::is_trivially_copyable_v<State> &&
              std::has_unique_object_representations_v<State>);

}  // namespace gavel::model
