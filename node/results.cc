#include "node/results.h"

#include <vector>

#include <capnp/dynamic.h>

#include "node/local-desk.h"
#include "schema/auction.capnp.h"
#include "tail/queries.h"
#include "wire/requests.h"

namespace gavel::node {
namespace {

bool has(capnp::StructSchema type, kj::StringPtr name) {
  return type.findFieldByName(name) != nullptr;
}

}  // namespace

// Each bid asks, so the schema is searched once.
bool isWrite(unsigned ordinal) {
  static const auto WRITES = []() {
    std::vector<bool> writes;
    for (auto method: capnp::Schema::from<schema::Auctioneer>().getMethods()) {
      auto type = method.getResultType();
      writes.push_back(has(type, "outcome") || has(type, "outcomes"));
    }
    return writes;
  }();
  return WRITES.at(ordinal);
}

void writeFailure(capnp::InterfaceSchema::Method method, capnp::AnyPointer::Reader params,
                  capnp::AnyPointer::Builder results, PassFailure failure, kj::StringPtr detail) {
  using Reason = schema::Outcome::Exception::Reason;
  auto type = method.getResultType();
  auto builder = results.initAs<capnp::DynamicStruct>(type);
  auto reason = failure == PassFailure::nothingRan ? Reason::UNAVAILABLE : Reason::OUTCOME_UNKNOWN;
  if (has(type, "outcome")) {
    wire::writeException(reason, detail, builder.init("outcome").as<schema::Outcome>());
  } else if (has(type, "outcomes")) {
    auto bids = params.getAs<schema::Auctioneer::BidsParams>();
    checkCount(bids);
    auto count = bids.getRequests().size();
    for (auto outcome: builder.init("outcomes", count).as<capnp::List<schema::Outcome>>()) {
      wire::writeException(reason, detail, outcome);
    }
  } else if (has(type, "answer")) {
    tail::writeUnavailable(builder.init("answer").as<schema::Auctioneer::Answer>().initFailure(),
                           detail);
  } else {
    tail::writeUnavailable(builder.init("failure").as<schema::QueryFailure>(), detail);
  }
}

}  // namespace gavel::node
