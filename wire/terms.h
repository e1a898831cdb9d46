#pragma once

#include "auction/command.h"
#include "schema/auction.capnp.h"

// Translates an auction's terms between the schema and the rules.
namespace gavel::wire {

// The texts point into the message.  A null SoftClose or Increment reads as the default.
auction::Terms readTerms(schema::Terms::Reader reader);
void writeTerms(const auction::Terms& terms, schema::Terms::Builder builder);

}  // namespace gavel::wire
