// SPDX-License-Identifier: Apache-2.0
// Numbers as they stand in table files and string tensors.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace protean {

/// Takes a base-128 varint of at most ten bytes off the front; nullopt when there is none.
[[nodiscard]] inline std::optional<std::uint64_t> take_varint(std::string_view& bytes) noexcept {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 10 && i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << (7 * i);
    if (byte < 0x80) {
      bytes.remove_prefix(i + 1);
      return value;
    }
  }
  return std::nullopt;
}

/// The first sizeof(T) bytes.  Requires bytes.size() >= sizeof(T); the machines that this runs on are little-endian.
template <std::unsigned_integral T>
[[nodiscard]] T load_little_endian(std::string_view bytes) noexcept {
  T value{};
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

}  // namespace protean
