// SPDX-License-Identifier: Apache-2.0
// Writes JSON into a Buffer: no tree, no intermediate strings, numbers in their shortest round-trip form.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/buffer.h"
#include "core/inference.h"

namespace protean {

/// Appends; the caller keeps the grammar (commas included).  Not thread-safe.
class JsonWriter {
 public:
  JsonWriter() { out_.reserve(1024); }

  void raw(std::string_view text) { out_.append(text); }
  /// With quotes and escapes. Bytes that are not UTF-8 become U+FFFD: for names and messages.
  void string(std::string_view text);
  void integer(std::int64_t value);
  void unsigned_integer(std::uint64_t value);
  void boolean(bool value) { raw(value ? "true" : "false"); }
  /// Shortest form that reads back as the same value, always with a fraction or an exponent; NaN and infinities as null.
  void number(double value);
  void integers(std::span<const std::int64_t> values);
  void parameter(const Parameter& value);
  /// The members of an object, without its braces.
  void parameters(const Parameters& parameters);
  /// All elements, flat, with brackets.  `tensor` has passed check_data().
  /// Errors: kInvalidArgument for a BYTES element that is not UTF-8.
  [[nodiscard]] Status elements(const Tensor& tensor, std::string_view name);

  [[nodiscard]] std::size_t size() const noexcept { return out_.size(); }
  /// For bytes that follow the JSON.
  [[nodiscard]] Buffer& buffer() noexcept { return out_; }

 private:
  Status strings(const Tensor& tensor, std::string_view name);

  Buffer out_;
};

}  // namespace protean
