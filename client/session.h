#pragma once

#include <cstdint>
#include <set>

#include <kj/refcount.h>
#include <kj/string.h>

namespace gavel::client {

// Names one request for ever (R7).  Its text is "SESSION-SEQUENCE".
struct RequestId {
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;

  bool operator==(const RequestId&) const = default;
};

kj::String KJ_STRINGIFY(const RequestId& id);
// Returns null if `text` does not have that form, with both numbers above 0.
kj::Maybe<RequestId> parseRequestId(kj::StringPtr text);

// The client's side of an open session.  It numbers requests, and knows the lowest number that is
// not done.
//
// A request whose outcome stayed unknown is never done: its record at the nodes answers later
// questions about it.  Such a request holds the lowest incomplete number back for ever.  A session
// that has grown too long is left for a new one.
class Session final: public kj::Refcounted {
public:
  explicit Session(std::uint64_t id): id(id) {}
  KJ_DISALLOW_COPY(Session);

  const std::uint64_t id;

  std::uint64_t lowestIncomplete() const {
    return incomplete.empty() ? nextSequence : *incomplete.begin();
  }
  // Nodes remember a limited number of outcomes of a session.
  bool usable() const { return !ended && nextSequence - lowestIncomplete() < LONGEST; }
  // Reports that the nodes have forgotten it.
  void end() { ended = true; }

  kj::Own<Session> addRef() { return kj::addRef(*this); }

private:
  friend class Ticket;
  static constexpr std::uint64_t LONGEST = 8192;

  std::uint64_t nextSequence = 1;
  std::set<std::uint64_t> incomplete;
  bool ended = false;
};

// One request's number in a session.  Destroying it says that the client will never ask for this
// request's outcome again.
class Ticket {
public:
  explicit Ticket(Session& session): session(session.addRef()), sequence(session.nextSequence++) {
    session.incomplete.insert(sequence);
  }
  ~Ticket() noexcept(false) {
    if (session.get() != nullptr) session->incomplete.erase(sequence);
  }
  Ticket(Ticket&&) = default;
  Ticket& operator=(Ticket&&) = delete;
  KJ_DISALLOW_COPY(Ticket);

  RequestId id() const { return {session->id, sequence}; }
  std::uint64_t lowestIncomplete() const { return session->lowestIncomplete(); }
  Session& inSession() { return *session; }

  // Keeps the request incomplete, as its outcome is unknown and may be asked for later.
  void leaveIncomplete() { session = nullptr; }

private:
  kj::Own<Session> session;
  std::uint64_t sequence;
};

}  // namespace gavel::client
