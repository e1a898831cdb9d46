#pragma once

#include <string>
#include <vector>

#include "tests/scenarios/world.h"

namespace gavel::scenarios {

// What happens in one file of this folder: NAME.txt.
struct Scenario {
  const char* name;
  // Its first line.
  const char* title;
  // How it begins.
  const char* begins;
  Setting setting;
  void (*happens)(World& world);
};

const std::vector<Scenario>& scenarios();

// The text.
std::string tell(const Scenario& scenario);

// By subject.
void addBids(std::vector<Scenario>& all);
void addLosses(std::vector<Scenario>& all);
void addJoins(std::vector<Scenario>& all);
void addOutages(std::vector<Scenario>& all);
void addMasters(std::vector<Scenario>& all);

}  // namespace gavel::scenarios
