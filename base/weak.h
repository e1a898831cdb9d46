#pragma once

#include <kj/common.h>
#include <kj/memory.h>
#include <kj/refcount.h>

namespace gavel {

// A reference that learns when its target is gone.  RPC servers hold one to what they serve, since
// a remote holder of their capability may outlive it.
template <typename T>
class Weak final: public kj::Refcounted {
public:
  explicit Weak(T& target): target(target) {}
  KJ_DISALLOW_COPY(Weak);

  kj::Maybe<T&> get() { return target; }
  kj::Own<Weak> addRef() { return kj::addRef(*this); }

private:
  template <typename U>
  friend class WeakAnchor;

  kj::Maybe<T&> target;
};

// Is held by the target, whose weak references end with it.
template <typename T>
class WeakAnchor {
public:
  explicit WeakAnchor(T& target): weak(kj::refcounted<Weak<T>>(target)) {}
  ~WeakAnchor() noexcept(false) { clear(); }
  KJ_DISALLOW_COPY(WeakAnchor);

  kj::Own<Weak<T>> ref() { return weak->addRef(); }
  // Ends the weak references before the target's own end.
  void clear() { weak->target = nullptr; }

private:
  kj::Own<Weak<T>> weak;
};

}  // namespace gavel
