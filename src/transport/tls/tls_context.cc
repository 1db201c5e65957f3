// SPDX-License-Identifier: Apache-2.0
// What every TLS connection of a listener shares: protocol versions, ciphers, ALPN, session tickets, the pair.
#include "transport/tls/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/log.h"

namespace protean {
namespace {

/// In our order of preference; each name with its length in front, RFC 7301 3.1.
constexpr unsigned char kProtocols[] = "\x02h2\x08http/1.1";
/// Forward secrecy and authenticated encryption only (RFC 9325 4.2); TLS 1.3 has its own list.
constexpr char kCiphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr char kSessionContext[] = "protean";

std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown reason";
}

/// A client that offers no protocol of ours gets no ALPN answer and is told apart by its first bytes.
int select_protocol(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned int offered_size, void* /*argument*/) {
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_size, kProtocols, sizeof(kProtocols) - 1, offered, offered_size);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Status check_readable(const std::string& path, std::string_view what) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) {
    const std::string reason = std::strerror(errno);
    return fail(Code::kNotFound, "TLS " + std::string(what) + " '" + path + "': cannot be read: " + reason);
  }
  std::fclose(file);
  return {};
}

void configure(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_cipher_list(context, kCiphers);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets resume sessions without our memory
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(kSessionContext),
                                 sizeof(kSessionContext) - 1);
  SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return -1; });  // else it asks the terminal
  SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
}

/// Connections without a certificate of these signers end in the handshake.
Status ask_for_client_certificates(SSL_CTX* context, const std::string& file) {
  TRY_STATUS(check_readable(file, "client CA"));
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(file.c_str());
  if (names == nullptr || SSL_CTX_load_verify_locations(context, file.c_str(), nullptr) != 1) {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    return fail(Code::kInvalidArgument, "TLS client CA '" + file + "': expected PEM certificates: " + openssl_reason());
  }
  SSL_CTX_set_client_CA_list(context, names);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return {};
}

}  // namespace

TlsContext::TlsContext(TlsFiles files, Handle handle, Stamp stamp)
    : files_(std::move(files)), handle_(std::move(handle)), stamp_(stamp) {}

Result<std::shared_ptr<TlsContext>> TlsContext::make(TlsFiles files) {
  const Stamp seen = stamp(files);
  TRY(Handle handle, load(files));
  return std::shared_ptr<TlsContext>(new TlsContext(std::move(files), std::move(handle), seen));
}

Result<TlsContext::Handle> TlsContext::load(const TlsFiles& files) {
  TRY_STATUS(check_readable(files.certificate, "certificate"));
  TRY_STATUS(check_readable(files.key, "key"));
  ERR_clear_error();
  Handle context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context == nullptr) return fail(Code::kResourceExhausted, "TLS: no memory for a context");
  configure(context.get());
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1) {
    return fail(Code::kInvalidArgument, "TLS certificate '" + files.certificate +
                                            "': expected a PEM certificate chain, leaf first: " + openssl_reason());
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fail(Code::kInvalidArgument, "TLS key '" + files.key + "': expected the PEM private key of '" +
                                            files.certificate + "', without a pass phrase: " + openssl_reason());
  }
  if (SSL_CTX_check_private_key(context.get()) != 1) {
    return fail(Code::kInvalidArgument, "TLS key '" + files.key + "' does not belong to the certificate '" +
                                            files.certificate + "': " + openssl_reason());
  }
  if (!files.client_ca.empty()) TRY_STATUS(ask_for_client_certificates(context.get(), files.client_ca));
  return context;
}

TlsContext::Stamp TlsContext::stamp(const TlsFiles& files) {
  Stamp seen;
  std::size_t at = 0;
  for (const std::string* path : {&files.certificate, &files.key, &files.client_ca}) {
    struct stat facts {};
    if (::stat(path->c_str(), &facts) != 0) facts = {};
    seen.facts[at++] = static_cast<std::int64_t>(facts.st_ino);
    seen.facts[at++] = facts.st_size;
    seen.facts[at++] = facts.st_mtim.tv_sec;
    seen.facts[at++] = facts.st_mtim.tv_nsec;
  }
  return seen;
}

std::unique_ptr<TlsStream> TlsContext::accept(int descriptor) const {
  const Handle context = handle_.with([](const Handle& handle) { return handle; });
  SSL* ssl = SSL_new(context.get());
  if (ssl == nullptr) return nullptr;
  SSL_set_accept_state(ssl);
  return std::make_unique<TlsStream>(ssl, descriptor);
}

bool TlsContext::reload_if_changed() {
  const Stamp seen = stamp(files_);
  const bool changed = stamp_.with([&](Stamp& last) { return std::exchange(last, seen) != seen; });
  if (!changed) return false;
  auto fresh = load(files_);
  if (!fresh) {
    log::warning("new TLS certificate refused, the old one stays", {{"reason", fresh.error().message}});
    return false;
  }
  handle_.with([&](Handle& handle) { handle = *std::move(fresh); });
  log::info("TLS certificate reloaded", {{"certificate", files_.certificate}});
  return true;
}

}  // namespace protean
