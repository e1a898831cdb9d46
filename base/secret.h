#pragma once

#include <string>

#include <kj/array.h>

namespace gavel {

// What the holders of a role know, and nobody else.  It is never logged.
class Secret {
public:
  Secret() = default;
  explicit Secret(std::string bytes): bytes(std::move(bytes)) {}

  // True if nobody has to prove anything.
  bool empty() const { return bytes.empty(); }

  // Returns the HMAC-SHA-256 of `text` under this secret, which shows that one knows the secret
  // without revealing it.
  kj::Array<kj::byte> prove(const std::string& text) const;
  // Returns whether `proof` is that of `text`, in a time that does not depend on where they differ.
  // An empty secret proves nothing.
  bool proves(const std::string& text, kj::ArrayPtr<const kj::byte> proof) const;

private:
  std::string bytes;
};

// Reads a secret of 16 to 1024 bytes from a file that only its owner may read or write.  Line ends
// after it do not count.  Throws FAILED with a text for the operator.  An empty path gives an empty
// secret.
Secret readSecret(const std::string& path);

// Makes such a file with a random secret.  Throws FAILED if the file exists.
void makeSecret(const std::string& path);

}  // namespace gavel
