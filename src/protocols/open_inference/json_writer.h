// SPDX-License-Identifier: Apache-2.0
// Writes JSON into a Buffer: no tree, no intermediate strings, numbers in their shortest round-trip form.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/buffer.h"
#include "core/inference.h"

namespace protean {

/// Appends; the caller keeps the grammar (commas included).  Not thread-safe.
class JsonWriter {
 public:
  JsonWriter() { grow(kFirstRoom); }

  void raw(std::string_view text) {
    if (text.empty()) return;
    std::memcpy(room(text.size()), text.data(), text.size());
    at_ += text.size();
  }
  /// With quotes and escapes. Bytes that are not UTF-8 become U+FFFD: for names and messages.
  void string(std::string_view text);
  void integer(std::int64_t value);
  void unsigned_integer(std::uint64_t value);
  void boolean(bool value) { raw(value ? "true" : "false"); }
  /// Shortest form that reads back as the same value, always with a fraction or an exponent; NaN and infinities as
  /// null.
  void number(double value);
  void integers(std::span<const std::int64_t> values);
  void parameter(const Parameter& value);
  /// The members of an object, without its braces.
  void parameters(const Parameters& parameters);
  /// All elements, flat, with brackets.  `tensor` has passed check_data().
  /// Errors: kInvalidArgument for a BYTES element that is not UTF-8.
  [[nodiscard]] Status elements(const Tensor& tensor, std::string_view name);

  [[nodiscard]] std::size_t size() const noexcept { return at_; }
  /// What was written, for bytes that follow the JSON; the writer is spent.
  [[nodiscard]] Buffer finish() &&;

 private:
  static constexpr std::size_t kFirstRoom = 1024;

  /// Where the next `count` bytes go; the caller moves at_.
  char* room(std::size_t count) {
    if (out_.size() - at_ < count) grow(count);
    return reinterpret_cast<char*>(out_.data()) + at_;
  }
  void grow(std::size_t count);
  template <typename T>
  void print_one(T value);
  template <typename T>
  void print_all(std::span<const std::byte> data);
  Status strings(const Tensor& tensor, std::string_view name);

  Buffer out_;  // as large as its capacity; at_ says how much of it is text
  std::size_t at_ = 0;
};

}  // namespace protean
