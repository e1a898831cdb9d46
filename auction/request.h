#pragma once

#include "auction/command.h"
#include "auction/outcome.h"

namespace gavel::auction {

// A command that somebody asks for, before it is judged.  The caller owns the texts.
struct Request {
  RequestId id;
  Command command;
  // An argument that is wrong in any state, and that the rules do not see.
  Outcome::Argument invalid = Outcome::Argument::none;
};

}  // namespace gavel::auction
