// SPDX-License-Identifier: Apache-2.0
// Numbers in the texts of model files: locale-free, whole text or nothing.
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace protean {

/// Decimal or scientific; also nan, inf and infinity in any case, with a sign. Beyond the range of double: infinity or
/// zero, as C's strtod() has it.
[[nodiscard]] inline std::optional<double> parse_double(std::string_view text) noexcept {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end != text.data() + text.size() || error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // from_chars leaves the value alone; a negative exponent means that it was too small.
    const bool small = text.find("e-") != std::string_view::npos || text.find("E-") != std::string_view::npos;
    const double magnitude = small ? 0.0 : std::numeric_limits<double>::infinity();
    return text.front() == '-' ? -magnitude : magnitude;
  }
  return value;
}

[[nodiscard]] inline std::optional<std::int64_t> parse_int64(std::string_view text) noexcept {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end != text.data() + text.size() || error != std::errc{}) return std::nullopt;
  return value;
}

}  // namespace protean
