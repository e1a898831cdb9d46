#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "bench/load.h"

// Options and output of the programs that bench/compare runs.
namespace gavel::bench {

// Declares the options of a load: --in-flight, --seconds, --warm-up.
void declare(CLI::App& app, Load& load);

// Returns one line for bench/compare.  `perCall`: how many of the counted things each call stands
// for.
std::string json(const Measured& measured, unsigned perCall = 1);

}  // namespace gavel::bench
