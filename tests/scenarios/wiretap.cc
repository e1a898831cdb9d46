#include "tests/scenarios/wiretap.h"

#include <cstring>

#include <capnp/serialize.h>

namespace gavel::scenarios {

void Wiretap::arrived(const simulation::TcpConnection& connection, unsigned from,
                      kj::ArrayPtr<const kj::byte> bytes) {
  auto& stream = unread[{connection.id(), from}];
  stream.insert(stream.end(), bytes.begin(), bytes.end());
  for (;;) {
    auto words = kj::heapArray<capnp::word>(stream.size() / sizeof(capnp::word));
    if (words.size() == 0) return;
    std::memcpy(words.begin(), stream.data(), words.size() * sizeof(capnp::word));
    auto size = capnp::expectedSizeInWordsFromPrefix(words);
    if (size > words.size()) return;
    capnp::FlatArrayMessageReader reader(words.slice(0, size));
    message(connection, from, reader.getRoot<capnp::rpc::Message>());
    auto end = static_cast<std::ptrdiff_t>(size * sizeof(capnp::word));
    stream.erase(stream.begin(), stream.begin() + end);
  }
}

void Wiretap::message(const simulation::TcpConnection& connection, unsigned from,
                      capnp::rpc::Message::Reader message) {
  auto sender = connection.host(from);
  auto receiver = connection.host(1 - from);
  if (message.isCall()) {
    auto call = message.getCall();
    Method method{call.getInterfaceId(), call.getMethodId()};
    asked[{connection.id(), from}][call.getQuestionId()] = method;
    onCall(sender, receiver, method, call.getParams().getContent());
  } else if (message.isReturn()) {
    auto answer = message.getReturn();
    auto& questions = asked[{connection.id(), 1 - from}];
    auto question = questions.find(answer.getAnswerId());
    if (question == questions.end()) return;  // Bootstrap.
    auto method = question->second;
    questions.erase(question);
    onReturn(sender, receiver, method, answer);
  }
}

}  // namespace gavel::scenarios
