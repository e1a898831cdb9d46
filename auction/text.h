#pragma once

#include <string_view>

// Which texts the rules admit.  Every node has to agree on it byte by byte, so it is written out
// here rather than left to a library whose tables change with its version.
namespace gavel::auction {

// 1 to MAX_NAME_BYTES bytes of strict UTF-8 without control characters.
bool validName(std::string_view name);

// Up to MAX_ITEM_BYTES bytes of strict UTF-8 without control characters other than newline and tab.
bool validItem(std::string_view item);

}  // namespace gavel::auction
