#pragma once

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/document.h"
#include "tests/master/validate.h"
#include "tests/master/world.h"

namespace gavel::master {

constexpr auto MS = kj::MILLISECONDS;

class MasterTest: public ::testing::Test {
protected:
  ~MasterTest() noexcept override = default;

  World world;

  FakeNode& node(std::size_t number) { return *world.nodes[number - 1]; }
  auto atEpoch(std::uint64_t epoch) {
    return [this, epoch]() { return world.epoch() == epoch; };
  }
  auto chainIs(std::string members) {
    return [this, members]() { return world.members() == members; };
  }
  std::string cause() { return world.master->current().cause; }
  // The note in nodes() on the node that was started last under that name.
  std::string note(const std::string& name) {
    std::string found = "(unknown)";
    for (auto& known: world.master->nodes()) {
      if (known.member.name == name) found = known.note;
    }
    return found;
  }
  // Checks that every configuration in the store may follow the one before it.
  void checkHistory() {
    Configuration before;
    auto document = Document::decode(world.store->get().wait(world.waitScope).document);
    for (auto& relink: document.relinks) {
      EXPECT_EQ(validate(before, relink.configuration), std::nullopt)
          << before.describe() << " -> " << relink.configuration.describe();
      before = relink.configuration;
    }
  }
};

}  // namespace gavel::master
