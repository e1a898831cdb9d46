#pragma once

#include <string>

#include <kj/exception.h>
#include <kj/string.h>

namespace gavel {

// What happens when a log's disk fails, or when the log cannot be what was written (R12).  Neither
// method returns: while a store opens, they throw FAILED with a text for the operator; later they
// end the process.  Used from any thread.
class LogFaults {
public:
  // `doing` completes "failed to ...", as in "sync its log".
  [[noreturn]] virtual void fail(const kj::Exception& exception, kj::StringPtr doing) const = 0;
  [[noreturn]] virtual void failDamaged(const std::string& what) const = 0;

protected:
  ~LogFaults() = default;
};

}  // namespace gavel
