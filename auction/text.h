#pragma once

#include <string_view>

// Which texts the rules admit.  All nodes have to agree byte by byte, so this is written out here
// and not left to a library whose tables change with its version.
namespace gavel::auction {

// A name is [1, MAX_NAME_BYTES] bytes of strict UTF-8 without control characters.
bool validName(std::string_view name);

// An item is [0, MAX_ITEM_BYTES] bytes of strict UTF-8 whose only control characters are newline
// and tab.
bool validItem(std::string_view item);

}  // namespace gavel::auction
