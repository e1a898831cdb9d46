#include <cstdio>
#include <exception>

#include <kj/exception.h>

#include "tests/history/checker.h"
#include "tests/history/history-file.h"

// check-history FILE…: judges recorded histories.  Exit status: 0 if all are linearizable, 1 if one
// is not, 2 if one cannot be read.
int main(int count, char** arguments) {
  using namespace gavel::history;
  if (count < 2) {
    fprintf(stderr, "usage: check-history FILE…\n");
    return 2;
  }
  int status = 0;
  for (int i = 1; i < count; ++i) {
    History history;
    auto problem = kj::runCatchingExceptions([&]() { history = load(arguments[i]); });
    KJ_IF_MAYBE (exception, problem) {
      fprintf(stderr, "%s\n", exception->getDescription().cStr());
      return 2;
    }
    auto verdict = check(history);
    printf(
        "%s: %zu operations on %zu auctions, %zu with an unknown outcome, %zu of these "
        "happened\n%s\n",
        arguments[i], verdict.operations, verdict.auctions, verdict.unknown, verdict.unknownApplied,
        verdict.text().c_str());
    if (!verdict.linearizable()) status = 1;
  }
  return status;
}
