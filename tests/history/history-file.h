#pragma once

#include <iosfwd>
#include <string>

#include "tests/history/history.h"

// A history as text: one operation per line, for grep and for people.
//
//     gavel-history 1
//     bid client=3 auction=hot-1 who=ann amount=120 invoked=100 returned=225
//         outcome=success version=3 index=17 stamp=1700 deadline=9000        (in the same line)
//     result client=4 auction=hot-1 invoked=300 returned=410 outcome=open version=3 …
//     final auction=hot-1 invoked=900 returned=950 versions=2
//     version version=1 kind=created who=owner …                             (as many lines)
//
// Fields that are 0, empty or NEVER are left out.  In texts, blanks, '%', '=' and all characters
// that are not printable ASCII are written as %XX.  Lines that begin with '#' are comments.
namespace gavel::history {

void write(const History& history, std::ostream& stream);
// Throws kj::Exception "NAME:LINE: what is wrong" on anything that write() does not write.
History read(std::istream& stream, const std::string& name);

// Both throw kj::Exception, with the path, if the file cannot be written or read.
void save(const History& history, const std::string& path);
History load(const std::string& path);

}  // namespace gavel::history
