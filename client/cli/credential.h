#pragma once

#include <string>

#include <kj/array.h>

#include "base/random.h"

namespace gavel::client::cli {

// $XDG_CONFIG_HOME/gavel, or ~/.config/gavel.  Throws EnvironmentError if there is no home
// directory.
std::string configDirectory();

// Returns the secret that proves who bids: the bytes of `path`.
//
// If there is no such file it is made, with 32 random bytes and for its owner only.  Processes that
// do so at the same time agree on one.  Throws EnvironmentError if the file cannot be read or made,
// or is not 16 to 64 bytes long.  `warn` is called for what works but is unwise.
kj::Array<kj::byte> loadCredential(const std::string& path, Random& random,
                                   void (*warn)(const std::string&));

}  // namespace gavel::client::cli
