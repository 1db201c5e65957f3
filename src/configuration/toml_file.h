// SPDX-License-Identifier: Apache-2.0
// A TOML document as a plain tree whose entries know their lines, so that those who interpret it need no parser's
// header and can say where a mistake is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace protean {

/// Larger files are refused unread.
inline constexpr std::size_t kTomlBytesMax = 1 << 20;

struct TomlValue;
struct TomlEntry;
using TomlArray = std::vector<TomlValue>;
/// Sorted by key; keys are unique.
using TomlTable = std::vector<TomlEntry>;
/// A date or a time: nothing here takes one.
struct TomlTime {};

struct TomlValue {
  std::variant<bool, std::int64_t, double, std::string, TomlTime, TomlArray, TomlTable> value;

  template <typename T>
  [[nodiscard]] const T* as() const noexcept {
    return std::get_if<T>(&value);
  }
};

/// `line`: where the key stands, from 1.
struct TomlEntry {
  std::string key;
  std::size_t line = 0;
  TomlValue value;
};

/// `a table`, `text`, `a number with a point`: what a message says was found.
[[nodiscard]] std::string_view toml_type_name(const TomlValue& value) noexcept;

/// `protean.toml:3`, safe to print.
[[nodiscard]] std::string toml_place(const std::filesystem::path& name, std::size_t line);

/// `name`: for messages.
/// Errors: kInvalidArgument `protean.toml:3: ...` for malformed TOML.  Thread-safe.
[[nodiscard]] Result<TomlTable> parse_toml(std::string_view text, const std::filesystem::path& name);

enum class Links : unsigned char { kFollow, kRefuse };

/// The text of a file of at most kTomlBytesMax bytes. `links`: whether the last part of the path may be a link.
/// Errors: kNotFound, kPermissionDenied, kInvalidArgument (a link, or no regular file where links are refused),
/// kResourceExhausted (too large), kUnavailable.
[[nodiscard]] Result<std::string> read_toml_text(const std::filesystem::path& file, Links links);

}  // namespace protean
