#pragma once

#include "tests/history/history.h"

namespace gavel::history::test {

// Decides as check() does, by trying every order of the operations that real time allows, on the
// Service.  For histories of about eight operations.
bool possible(const History& history);

}  // namespace gavel::history::test
