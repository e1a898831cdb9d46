#pragma once

namespace gavel {

// Report to systemd that this process serves, or that it is about to end.  They do nothing unless
// systemd has started the process (Type=notify).
void tellReady();
void tellStopping();

}  // namespace gavel
