#pragma once

namespace gavel {

// Tells systemd, where it has started this process (Type=notify), that it serves from now on, or
// that it is about to end.  Does nothing anywhere else.
void tellReady();
void tellStopping();

}  // namespace gavel
