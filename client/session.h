#pragma once

#include <cstdint>
#include <set>

#include <kj/refcount.h>
#include <kj/string.h>

namespace gavel::client {

// Names one request for ever (R7).  As text: "SESSION-SEQUENCE".
struct RequestId {
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;

  bool operator==(const RequestId&) const = default;
};

kj::String KJ_STRINGIFY(const RequestId& id);
// Null if `text` is not of that form, with both numbers above 0.
kj::Maybe<RequestId> parseRequestId(kj::StringPtr text);

// The client's side of an open session: numbers requests, and knows below which number all are
// done.
//
// A request whose outcome stayed unknown is never done: its record at the nodes is what the
// question about it will be answered from.  So such requests hold the lowest incomplete number back
// for ever, and a session that grew too long is left for a new one.
class Session final: public kj::Refcounted {
public:
  explicit Session(std::uint64_t id): id(id) {}
  KJ_DISALLOW_COPY(Session);

  const std::uint64_t id;

  std::uint64_t lowestIncomplete() const {
    return incomplete.empty() ? nextSequence : *incomplete.begin();
  }
  // Nodes remember only so many outcomes of a session.
  bool usable() const { return !ended && nextSequence - lowestIncomplete() < LONGEST; }
  // The nodes have forgotten it.
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

  // The outcome is unknown and may be asked for later: the request stays incomplete.
  void leaveIncomplete() { session = nullptr; }

private:
  kj::Own<Session> session;
  std::uint64_t sequence;
};

}  // namespace gavel::client
