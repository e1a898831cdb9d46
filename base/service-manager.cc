#include "base/service-manager.h"

#include <systemd/sd-daemon.h>

namespace gavel {

void tellReady() {
  sd_notify(0, "READY=1");
}

void tellStopping() {
  sd_notify(0, "STOPPING=1");
}

}  // namespace gavel
