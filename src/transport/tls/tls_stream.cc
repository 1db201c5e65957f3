// SPDX-License-Identifier: Apache-2.0
// OpenSSL over a BIO of our own: reads go to the socket, writes collect in memory and leave in one send, without
// SIGPIPE. SSL_write() therefore never blocks half way, and what it took is ours to deliver.
#include "transport/tls/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace protean {

/// The BIO's callbacks; a friend so that the stream's members stay private.
struct TlsStreamBio {
  static int read(BIO* bio, char* into, int count) {
    auto* stream = static_cast<TlsStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    ssize_t received = 0;
    do {
      received = ::recv(stream->descriptor_, into, static_cast<std::size_t>(count), MSG_DONTWAIT);
    } while (received < 0 && errno == EINTR);
    stream->drained_ = received < count;
    if (received < 0 && errno == EAGAIN) BIO_set_retry_read(bio);
    return static_cast<int>(received);
  }

  static int write(BIO* bio, const char* bytes, int count) {
    auto* stream = static_cast<TlsStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    stream->unsent_.append(bytes, static_cast<std::size_t>(count));
    return count;
  }

  static long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static int create(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
  }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* made = [] {
      BIO_METHOD* fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "protean socket");
      PROTEAN_CHECK(fresh != nullptr);
      BIO_meth_set_read(fresh, &TlsStreamBio::read);
      BIO_meth_set_write(fresh, &TlsStreamBio::write);
      BIO_meth_set_ctrl(fresh, &TlsStreamBio::control);
      BIO_meth_set_create(fresh, &TlsStreamBio::create);
      return fresh;
    }();
    return made;
  }
};

namespace {

constexpr std::size_t kRecordBytesMax = 16384;                // plaintext of one TLS record, RFC 8446 5.1
constexpr std::size_t kUnsentBytesMax = 8 * kRecordBytesMax;  // encrypted ahead of one send

/// The front of `vectors` as one contiguous record's worth: large pieces as they lie, small ones gathered.
std::span<const char> next_record(std::span<const iovec> vectors, std::size_t skip, std::span<char> gathered) {
  const auto* first = static_cast<const char*>(vectors.front().iov_base) + skip;
  const std::size_t first_count = vectors.front().iov_len - skip;
  if (first_count >= gathered.size() || vectors.size() == 1) return {first, std::min(first_count, gathered.size())};
  std::size_t filled = 0;
  for (const auto& vector : vectors) {
    const std::size_t count = std::min(vector.iov_len - skip, gathered.size() - filled);
    std::memcpy(gathered.data() + filled, static_cast<const char*>(vector.iov_base) + skip, count);
    filled += count;
    skip = 0;
    if (filled == gathered.size()) break;
  }
  return gathered.first(filled);
}

}  // namespace

void TlsStream::Free::operator()(ssl_st* ssl) const noexcept { SSL_free(ssl); }

TlsStream::TlsStream(ssl_st* ssl, int descriptor) : ssl_(ssl), descriptor_(descriptor) {
  BIO* bio = BIO_new(TlsStreamBio::method());
  PROTEAN_CHECK(bio != nullptr);
  BIO_set_data(bio, this);
  SSL_set_bio(ssl, bio, bio);
}

TlsStream::~TlsStream() = default;

IoResult TlsStream::result(int returned) {
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: hungry_ = true; return {IoResult::Kind::kWouldBlock, 0, true};
    case SSL_ERROR_ZERO_RETURN: return {IoResult::Kind::kEnd, 0};
    default: broken_ = true; return {IoResult::Kind::kFailed, 0};
  }
}

IoResult TlsStream::handshake() {
  ERR_clear_error();
  const int returned = SSL_do_handshake(ssl_.get());
  hungry_ = false;
  IoResult outcome = returned == 1 ? IoResult{IoResult::Kind::kMoved, 1} : result(returned);
  // A failed handshake has an alert to deliver as well.
  if (!flush()) outcome = {IoResult::Kind::kFailed, 0};
  return outcome;
}

std::string_view TlsStream::protocol() const noexcept {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

IoResult TlsStream::read(std::span<std::byte> into) {
  if (broken_) return {IoResult::Kind::kFailed, 0};
  drained_ = false;  // what is served from memory says nothing of the socket
  std::size_t total = 0;
  while (total < into.size()) {
    ERR_clear_error();
    std::size_t count = 0;
    const int returned = SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &count);
    if (returned != 1) {
      const IoResult outcome = result(returned);
      if (total == 0) return outcome;
      break;
    }
    total += count;
    hungry_ = false;
    if (!has_pending()) break;
  }
  return {IoResult::Kind::kMoved, total, drained_};
}

IoResult TlsStream::write(std::span<const iovec> vectors) {
  if (broken_) return {IoResult::Kind::kFailed, 0};
  std::array<char, kRecordBytesMax> gathered;
  std::size_t taken = 0;
  std::size_t skip = 0;
  while (!vectors.empty() && unsent_.size() - unsent_at_ < kUnsentBytesMax) {
    const auto record = next_record(vectors, skip, gathered);
    ERR_clear_error();
    std::size_t count = 0;
    const int returned = SSL_write_ex(ssl_.get(), record.data(), record.size(), &count);
    if (returned != 1) {
      const IoResult outcome = result(returned);
      if (outcome.kind == IoResult::Kind::kFailed) return outcome;
      break;
    }
    taken += count;
    skip += count;
    while (!vectors.empty() && skip >= vectors.front().iov_len) {
      skip -= vectors.front().iov_len;
      vectors = vectors.subspan(1);
    }
  }
  if (!flush()) return {IoResult::Kind::kFailed, 0};
  return {taken > 0 ? IoResult::Kind::kMoved : IoResult::Kind::kWouldBlock, taken};
}

bool TlsStream::flush() {
  while (wants_write()) {
    const ssize_t sent =
        ::send(descriptor_, unsent_.data() + unsent_at_, unsent_.size() - unsent_at_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN;
    unsent_at_ += static_cast<std::size_t>(sent);
  }
  std::string().swap(unsent_);
  unsent_at_ = 0;
  return true;
}

bool TlsStream::has_pending() const noexcept { return !hungry_ && SSL_has_pending(ssl_.get()) == 1; }

void TlsStream::finish() {
  if (broken_ || SSL_in_init(ssl_.get()) == 1) return;
  ERR_clear_error();
  static_cast<void>(SSL_shutdown(ssl_.get()));
  static_cast<void>(flush());
}

}  // namespace protean
