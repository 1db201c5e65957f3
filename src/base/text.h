// SPDX-License-Identifier: Apache-2.0
// Small questions about text: equal ignoring ASCII case, nearest name, strict integers, JSON quoting.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace protean {

/// Equality with ASCII letters folded; other bytes compare as they are (HTTP field names, RFC 9110 5.1).
[[nodiscard]] bool equals_ignore_case(std::string_view a, std::string_view b) noexcept;

/// Without spaces and tabs at both ends.
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;

/// Pieces between separators, trimmed, empty ones left out.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

/// Decimal digits only, no sign, no space; nullopt when empty, malformed or above 2^64-1.
[[nodiscard]] std::optional<std::uint64_t> parse_uint64(std::string_view text) noexcept;

/// The candidate with the smallest edit distance, if that is small enough to be a likely typing error.
[[nodiscard]] std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string> candidates);

/// Appends `text` as a JSON string with quotes. Bytes that are not valid UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// `text` with control characters and bytes that are not UTF-8 replaced by `?`, cut to `size_max` bytes (between
/// characters) and then `...`: safe to log or echo.
[[nodiscard]] std::string printable(std::string_view text, std::size_t size_max = 128);

/// True when `text` is well-formed UTF-8 (RFC 3629).
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace protean
