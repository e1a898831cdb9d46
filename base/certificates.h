#pragma once

#include <string>

namespace gavel {

// Makes what a chain on this machine needs for TLS in `directory`, unless all of it is there: an
// authority (ca.pem), and a certificate of it for the loopback addresses (node.pem) with its
// private key (node.key, 0600).  The authority's own key is not kept, so that it vouches for nobody
// else.  Throws FAILED, in words for the operator.
void makeLocalCertificates(const std::string& directory);

}  // namespace gavel
