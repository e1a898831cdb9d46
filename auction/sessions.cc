#include "auction/sessions.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/planted.h"

namespace gavel::auction {
namespace {

// Returns how many records the session has from `lowestIncomplete` on.
std::size_t recordsLeft(const Session& session, std::uint64_t lowestIncomplete) {
  const auto& records = session.records;
  return std::distance(records.lower_bound(lowestIncomplete), records.end());
}

}  // namespace

Sessions::Standing Sessions::standing(const RequestId& request) const {
  using enum Standing::Kind;
  const Session* session = find(request.session);
  if (session == nullptr) return {unknown};

  const auto lowest = std::max(session->lowestIncomplete, request.lowestIncomplete);
  if (request.sequence < lowest) return {forgotten, session};

  const auto found = session->records.find(request.sequence);
  const bool known = found != session->records.end() && !planted(Bug::forgetRequests);
  if (known) return {recorded, session, &found->second};

  // The first test is there because counting is slow.
  if (session->records.size() >= MAX_RECORDS_PER_SESSION &&
      recordsLeft(*session, lowest) >= MAX_RECORDS_PER_SESSION) {
    return {full, session};
  }
  return {fresh, session};
}

const Session* Sessions::find(std::uint64_t id) const {
  const auto found = byId.find(id);
  return found == byId.end() ? nullptr : &*found->second;
}

std::vector<const Session*> Sessions::inOrderOfId() const {
  std::vector<const Session*> sessions;
  sessions.reserve(byUse.size());
  for (const Session& session: byUse) sessions.push_back(&session);
  std::sort(sessions.begin(), sessions.end(),
            [](const Session* a, const Session* b) { return a->id < b->id; });
  return sessions;
}

void Sessions::open(std::uint64_t id, Stamp stamp) {
  if (full()) endIdlest();
  Session session;
  session.id = id;
  session.lastUsed = stamp;
  session.lastUsedIndex = id;
  noteChange(session);
  add(std::move(session));
}

void Sessions::record(const Entry& entry, const RequestRecord& record) {
  const auto session = byId.at(entry.request.session);
  byUse.splice(byUse.end(), byUse, session);
  noteChange(*session);
  session->lastUsed = entry.stamp;
  session->lastUsedIndex = entry.index;
  session->lowestIncomplete = std::max(session->lowestIncomplete, entry.request.lowestIncomplete);

  session->records.freeBelow(session->lowestIncomplete);
  session->records.put(entry.request.sequence, record);
}

Sessions::Changes Sessions::takeChanges(std::uint32_t next) {
  round = next;
  Changes changes;
  changes.changed.swap(changed);
  changes.ended.swap(ended);
  return changes;
}

void Sessions::noteChange(Session& session) {
  if (session.changedIn == round) return;
  session.changedIn = round;
  changed.push_back(session.id);
}

void Sessions::add(Session&& session) {
  const std::uint64_t id = session.id;
  byId.emplace(id, byUse.insert(byUse.end(), std::move(session)));
}

bool Sessions::sortByUse() {
  byUse.sort([](const Session& a, const Session& b) { return a.lastUsedIndex < b.lastUsedIndex; });
  const auto broken = [](const Session& a, const Session& b) {
    return a.lastUsedIndex == b.lastUsedIndex || a.lastUsed > b.lastUsed;
  };
  return std::adjacent_find(byUse.begin(), byUse.end(), broken) == byUse.end();
}

void Sessions::endIdlest() {
  ended.push_back(byUse.front().id);
  byId.erase(byUse.front().id);
  byUse.pop_front();
}

}  // namespace gavel::auction
