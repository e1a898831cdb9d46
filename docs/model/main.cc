#include <cstdio>
#include "docs/model/explorer.h"
#include <cstdlib>
#include <cstring>
using namespace gavel::model;
int main(int argc, char** argv) {
  Options o;
  std::size_t limit = 100000000;
  if (argc > 1 && strcmp(argv[1], "none")) {
    auto* info = findVariant(argv[1]);
    o.variant = info->variant; o.bounds = info->bounds; o.nets = false; o.innerProperties = false;
  }
  if (argc > 2) { sscanf(argv[2], "%d,%d,%d,%d,%d", &o.bounds.slots,&o.bounds.chain,&o.bounds.bids,&o.bounds.epochs,&o.bounds.crashes); }
  if (argc > 3) o.bounds.reads = atoi(argv[3]);
  if (argc > 4) limit = atol(argv[4]);
  auto f = explore(Model(o), limit);
  for (auto& l: f.trace) puts(l.c_str());
  printf("%s: states %zu transitions %zu depth %d complete %d broken '%s' %.1f s\n", argv[1], f.states, f.transitions, f.depth, f.complete, f.broken.c_str(), f.seconds);
}
