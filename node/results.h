#pragma once

#include <capnp/capability.h>
#include <capnp/schema.h>

// The results of any of Auctioneer's methods, by its schema: what a node that passes calls on has to
// know of them.
namespace gavel::node {

// Whether Auctioneer's method of that ordinal may change the state, and so is the head's (R4).  The others are
// queries (R10).
bool isWrite(unsigned ordinal);

// How a call failed that was passed on.
enum class PassFailure : std::uint8_t {
  nothingRan,
  outcomeUnknown,  // It may or may not take effect.  For a query this is as good as the other.
};

// Writes the failure as results of `method`: as the outcome of each request, or as the answer to the
// query.  Throws FAILED if there are more requests than checkCount() allows.
void writeFailure(capnp::InterfaceSchema::Method method, capnp::AnyPointer::Reader params,
                  capnp::AnyPointer::Builder results, PassFailure failure, kj::StringPtr detail);

}  // namespace gavel::node
