#pragma once

#include "auction/command.h"
#include "auction/outcome.h"

namespace gavel::auction {

// A command that somebody asks for, before it is judged.  Texts are the caller's.
struct Request {
  RequestId id;
  Command command;
  // An argument that is wrong whatever the state, and that the rules would not see.
  Outcome::Argument invalid = Outcome::Argument::none;
};

}  // namespace gavel::auction
