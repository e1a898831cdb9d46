#pragma once

#include <string>

#include <kj/array.h>

namespace gavel {

// What the holders of a role know, and nobody else.  Never logged.
class Secret {
public:
  Secret() = default;
  explicit Secret(std::string bytes): bytes(std::move(bytes)) {}

  // Nobody has to prove anything.
  bool empty() const { return bytes.empty(); }

  // HMAC-SHA-256 of `text` under it: shows that one knows it without telling it.
  kj::Array<kj::byte> prove(const std::string& text) const;
  // In a time that does not depend on where they differ.
  bool proves(const std::string& text, kj::ArrayPtr<const kj::byte> proof) const;

private:
  std::string bytes;
};

// Reads a secret of 16 to 1024 bytes from a file that only its owner may read; line ends behind it
// do not count.  Throws FAILED with a text for the operator.  An empty path is an empty secret.
Secret readSecret(const std::string& path);

// Makes such a file with a random secret.
void makeSecret(const std::string& path);

}  // namespace gavel
