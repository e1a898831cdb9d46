#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>
#include <vector>

#include "auction/command.h"
#include "auction/request-records.h"

// Sessions and the recorded outcomes of their requests, which make requests happen exactly once
// (R7).  After "Implementing Linearizability at Large Scale and Low Latency" (RIFL, SOSP 2015).
namespace gavel::auction {

// These bounds are part of the rules: every node must have the same ones (R14).
constexpr std::size_t MAX_SESSIONS = 100'000;            // Opening one more evicts the idlest.
constexpr std::size_t MAX_RECORDS_PER_SESSION = 16'384;  // Those that are not freed.

struct Session {
  std::uint64_t id = 0;  // Index of the entry that opened it.
  Stamp lastUsed = 0;
  std::uint64_t lastUsedIndex = 0;  // Orders sessions from idlest to busiest; no two are equal.
  std::uint64_t lowestIncomplete = 1;
  RequestRecords records;       // None below lowestIncomplete.
  std::uint32_t changedIn = 0;  // The round of captures in which it changed; 0: captured since.
};

// All sessions, also in order of their last use.  An operation on one session is O(1) in the number
// of sessions and O(log n) in the session's records, not counting what it frees.
class Sessions {
public:
  // What its session knows of a request.
  struct Standing {
    enum class Kind : std::uint8_t {
      unknown,    // There is no such session.
      forgotten,  // Freed by the session's client, or by this very request.
      recorded,   // Decided before: see `record`.
      full,       // It would be one record too many.
      fresh,      // It may run.
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

  // Gives write access to one of its own elements.
  Session& edit(const Session& element) { return const_cast<Session&>(element); }

  // Opens session `id`, evicting the idlest one if it is full().
  void open(std::uint64_t id, Stamp stamp);
  // There must be a session.
  void endIdlest();
  // Records the outcome of the request of `entry`, and frees the records that the request says may
  // be freed.  The request's standing must be `fresh`.
  void record(const Entry& entry, const RequestRecord& record);

  // Which sessions have changed or ended since the last call of takeChanges(), by id.
  struct Changes {
    std::vector<std::uint64_t> changed;  // Opened or used; some of them may have ended since.
    std::vector<std::uint64_t> ended;    // Some of them may have been opened since.
  };
  // Begins another round: sessions that change from now on have this number in `changedIn`.
  Changes takeChanges(std::uint32_t round);
  // How many ids takeChanges() would return.
  std::size_t changes() const { return changed.size() + ended.size(); }

  // Adds a session that was loaded, which counts as unchanged.  No two may have the same id; their
  // order does not matter.
  void add(Session&& session);
  // Puts loaded sessions in order of use.  Returns false if no log can have left them like this.
  bool sortByUse();

private:
  std::list<Session> byUse;  // From idlest to busiest: lastUsedIndex rises, lastUsed does not fall.
  std::unordered_map<std::uint64_t, std::list<Session>::iterator> byId;
  std::uint32_t round = 1;
  std::vector<std::uint64_t> changed;  // `changedIn` was set to `round` when the id was noted.
  std::vector<std::uint64_t> ended;

  void noteChange(Session& session);
};

}  // namespace gavel::auction
