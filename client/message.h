#pragma once

#include <capnp/message.h>
#include <kj/memory.h>

namespace gavel::client {

// A Cap'n Proto struct that owns its bytes, so that an answer can outlive its call.
template <typename T>
class Message {
public:
  // A copy of `value`.
  explicit Message(typename T::Reader value)
      : builder(kj::heap<capnp::MallocMessageBuilder>(words(value))) {
    builder->setRoot(value);
    reader = builder->template getRoot<T>().asReader();
  }

  // A message that `fill` writes, given a T::Builder.
  template <typename Fill>
  static Message make(Fill&& fill) {
    Message message;
    fill(message.builder->template initRoot<T>());
    message.reader = message.builder->template getRoot<T>().asReader();
    return message;
  }

  Message(Message&&) = default;
  Message& operator=(Message&&) = default;
  KJ_DISALLOW_COPY(Message);

  // Valid while this object, or the one that it is moved to, lives.
  typename T::Reader get() const { return reader; }

private:
  kj::Own<capnp::MallocMessageBuilder> builder;
  typename T::Reader reader;

  Message(): builder(kj::heap<capnp::MallocMessageBuilder>(SMALL_WORDS)) {}

  static constexpr unsigned SMALL_WORDS = 32;
  static constexpr std::uint64_t LARGEST_FIRST_SEGMENT = 1 << 20;

  static unsigned words(typename T::Reader value) {
    // One word more for the root pointer.
    return static_cast<unsigned>(kj::min(value.totalSize().wordCount + 1, LARGEST_FIRST_SEGMENT));
  }
};

}  // namespace gavel::client
