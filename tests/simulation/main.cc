#include <cstdio>
#include <cstdlib>

#include "tests/simulation/scenario.h"
int main(int argc, char** argv) {
  using namespace gavel::simulation;
  unsigned long first = strtoul(argv[1], nullptr, 10), n = strtoul(argv[2], nullptr, 10);
  for (auto seed = first; seed < first + n; ++seed) {
    Trace trace(argc > 3 ? (atoi(argv[3]) == 2 ? Trace::Detail::wire : Trace::Detail::events)
                         : Trace::Detail::none);
    trace.writeTo(stdout);
    auto r = runSeed(seed, trace);
    fprintf(stderr,
            "seed %lu hash %016lx %.1f s, %lu events, ops %lu ok %lu fail %lu reads %lu unknown "
            "%lu not %lu: %s\n",
            seed, r.hash, r.seconds, r.events, r.operations.operations, r.operations.successes,
            r.operations.fails, r.operations.reads, r.operations.unknown, r.operations.notApplied,
            r.failure.c_str());
  }
}
