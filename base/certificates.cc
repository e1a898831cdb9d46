#include "base/certificates.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <unistd.h>

#include <kj/debug.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/random.h"

namespace gavel {
namespace {

constexpr long YEARS = 10L * 365 * 24 * 3600;

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;

void must(bool done, const char* what) {
  KJ_REQUIRE(done, "OpenSSL does not do it", what);
}

Key makeKey() {
  Key key(EVP_EC_gen("P-256"));
  must(key != nullptr, "make a key");
  return key;
}

void extend(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  must(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1, value);
}

// Makes a certificate for `key`, signed by `issuerKey`.  `issuer` is null for a self-signed one.
Certificate certify(EVP_PKEY* key, const char* name, X509* issuer, EVP_PKEY* issuerKey) {
  Certificate made(X509_new());
  auto* certificate = made.get();
  SystemRandom random;
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), random.next() >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);  // For clocks that lag a little.
  X509_gmtime_adj(X509_getm_notAfter(certificate), YEARS);
  X509_set_pubkey(certificate, key);
  auto* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  auto* signer = issuer == nullptr ? certificate : issuer;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  bool authority = issuer == nullptr;
  extend(certificate, signer, NID_basic_constraints,
         authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!authority) {
    // The address stands here as a name too, since KJ compares it as one.
    extend(certificate, signer, NID_subject_alt_name,
           "DNS:localhost,DNS:127.0.0.1,IP:127.0.0.1,IP:::1");
  }
  must(X509_sign(certificate, issuerKey, EVP_sha256()) > 0, "sign a certificate");
  return made;
}

template <typename Write>
void writeFile(const std::string& path, int mode, Write write) {
  int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  auto* file = fd < 0 ? nullptr : fdopen(fd, "w");
  bool done = file != nullptr && write(file) == 1;
  if (file != nullptr) done = fclose(file) == 0 && done;
  if (!done) {
    kj::throwFatalException(
        kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                      kj::str("cannot write ", path.c_str(), ": ", strerror(errno))));
  }
}

}  // namespace

void makeLocalCertificates(const std::string& directory) {
  auto at = [&](const char* name) { return directory + "/" + name; };
  if (std::filesystem::exists(at("ca.pem")) && std::filesystem::exists(at("node.pem")) &&
      std::filesystem::exists(at("node.key"))) {
    return;
  }
  auto authorityKey = makeKey();
  auto authority =
      certify(authorityKey.get(), "Gavel on this machine", nullptr, authorityKey.get());
  auto key = makeKey();
  auto certificate = certify(key.get(), "localhost", authority.get(), authorityKey.get());
  writeFile(at("node.key"), 0600, [&](FILE* file) {
    return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  writeFile(at("node.pem"), 0644,
            [&](FILE* file) { return PEM_write_X509(file, certificate.get()); });
  writeFile(at("ca.pem"), 0644, [&](FILE* file) { return PEM_write_X509(file, authority.get()); });
}

}  // namespace gavel
