#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "bench/load.h"

// What the programs that bench/compare runs have in common.
namespace gavel::bench {

// The options of a load: --in-flight, --seconds, --warm-up.
void declare(CLI::App& app, Load& load);

// One line for bench/compare.  `perCall`: how many of what is counted each call stands for.
std::string json(const Measured& measured, unsigned perCall = 1);

}  // namespace gavel::bench
