#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>
#include <vector>

#include "auction/command.h"
#include "auction/request-records.h"

// Sessions and the recorded outcomes of their requests: what makes requests happen exactly once
// (R7), after "Implementing Linearizability at Large Scale and Low Latency" (RIFL, SOSP 2015).
namespace gavel::auction {

// Bounds.  They are part of the rules: every node must have the same ones (R14).
constexpr std::size_t MAX_SESSIONS = 100'000;            // Opening one more evicts the idlest.
constexpr std::size_t MAX_RECORDS_PER_SESSION = 16'384;  // Requests told but not yet freed.

struct Session {
  std::uint64_t id = 0;  // Index of the entry that opened it.
  Stamp lastUsed = 0;
  std::uint64_t lastUsedIndex = 0;  // Orders sessions from idlest to busiest; no two are equal.
  std::uint64_t lowestIncomplete = 1;
  RequestRecords records;       // None below lowestIncomplete.
  std::uint32_t changedIn = 0;  // The round in which it has changed; 0: not since a capture.
};

// All sessions, also in order of their last use.  Each operation is O(1) in the number of sessions
// and O(log n) in the records of the one it is about, not counting what it frees.
class Sessions {
public:
  // How a request stands with its session.
  struct Standing {
    enum class Kind : std::uint8_t {
      unknown,    // No such session.
      forgotten,  // Freed by the session's client, or by this very request.
      recorded,   // Decided before: see `record`.
      full,       // It would be one record too many.
      fresh,      // May run.
    };
    Kind kind = Kind::unknown;
    const Session* session = nullptr;
    const RequestRecord* record = nullptr;
  };
  Standing standing(const RequestId& request) const;

  const Session* find(std::uint64_t id) const;
  std::size_t size() const { return byId.size(); }
  bool full() const { return size() >= MAX_SESSIONS; }
  const Session* idlest() const { return byUse.empty() ? nullptr : &byUse.front(); }
  std::vector<const Session*> inOrderOfId() const;

  // Write access to one of its own elements.
  Session& edit(const Session& element) { return const_cast<Session&>(element); }

  // Opens session `id`, evicting the idlest one if it is full().
  void open(std::uint64_t id, Stamp stamp);
  // There must be one.
  void endIdlest();
  // Records what the request of `entry` came to, and frees what it says may be freed.  Its standing
  // must be `fresh`.
  void record(const Entry& entry, const RequestRecord& record);

  // What has become of sessions since the last call, or since they were added below.
  struct Changes {
    std::vector<std::uint64_t> changed;  // Opened or used; some of them may have ended since.
    std::vector<std::uint64_t> ended;    // Also such as were opened since.
  };
  // Another round begins: sessions that change from now on have this number in `changedIn`.
  Changes takeChanges(std::uint32_t round);
  // How many sessions those are.
  std::size_t changes() const { return changed.size() + ended.size(); }

  // For loading: takes sessions in any order, of which no two may have the same id...
  void add(Session&& session);
  // ...and puts them in order of use.  False if no log can have left them like this.
  bool sortByUse();

private:
  std::list<Session> byUse;  // From idlest to busiest: lastUsedIndex rises, lastUsed does not fall.
  std::unordered_map<std::uint64_t, std::list<Session>::iterator> byId;
  std::uint32_t round = 1;
  std::vector<std::uint64_t> changed;  // With `changedIn` set to the round when they were noted.
  std::vector<std::uint64_t> ended;

  void noteChange(Session& session);
};

}  // namespace gavel::auction
