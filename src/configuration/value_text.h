// SPDX-License-Identifier: Apache-2.0
// Sizes, times and truths as people write them, in flags, variables and files alike.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace protean {

/// `true`, `false` and nothing else.
[[nodiscard]] std::optional<bool> parse_bool(std::string_view text) noexcept;
/// `1048576`, `64KiB`, `64MiB`, `1GiB`, `1TiB`, `1kB`, `1MB`, `1GB`, `10B`.  nullopt also on overflow.
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text) noexcept;
/// `500ms`, `30s`, `5m`, `1h`; `0` needs no unit.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) noexcept;
/// The same with microseconds: `250us`.
[[nodiscard]] std::optional<Duration> parse_fine_duration(std::string_view text) noexcept;

/// What the parsers read back as the same value, in the largest unit that is exact. A fine duration is not negative
/// and whole microseconds; what is finer is cut.
[[nodiscard]] std::string format_bytes_exactly(std::uint64_t bytes);
[[nodiscard]] std::string format_duration_exactly(std::chrono::milliseconds duration);
[[nodiscard]] std::string format_fine_duration(Duration duration);

/// A TOML basic string with its quotes. Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string toml_text(std::string_view text);

}  // namespace protean
