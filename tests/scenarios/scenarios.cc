#include "tests/scenarios/scenarios.h"

namespace gavel::scenarios {

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> ALL = []() {
    std::vector<Scenario> all;
    addBids(all);
    addLosses(all);
    addJoins(all);
    addOutages(all);
    addMasters(all);
    return all;
  }();
  return ALL;
}

std::string tell(const Scenario& scenario) {
  World world(scenario.setting);
  world.story().title(scenario.title);
  world.story().comment(scenario.begins);
  scenario.happens(world);
  world.tellEnd();
  return world.story().text();
}

}  // namespace gavel::scenarios
