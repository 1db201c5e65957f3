// SPDX-License-Identifier: Apache-2.0
// SHA-256, for keys that name content. The one place outside TLS that includes OpenSSL: it uses the processor's
// instructions, which a loop of our own would not (1.5 GB/s against 0.3).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace protean {

/// Characters of a digest in hexadecimal.
inline constexpr std::size_t kSha256HexSize = 64;

/// A digest in the making.  Movable; one thread at a time.
/// Source: FIPS 180-4.
class Sha256 {
 public:
  /// Throws std::bad_alloc when memory is gone.
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void add(std::span<const std::byte> bytes);
  void add(std::string_view text);
  /// `text` after its length, so that "ab" + "c" and "a" + "bc" differ.
  void add_part(std::string_view text);
  /// 64 lower-case hexadecimal digits. Ends it: nothing may be added afterwards.
  [[nodiscard]] std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] std::string sha256_hex(std::string_view text);

}  // namespace protean
