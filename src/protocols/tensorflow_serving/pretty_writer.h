// SPDX-License-Identifier: Apache-2.0
// JSON in the layout of RapidJSON's PrettyWriter: four spaces a level, members on lines of their own, lists on one line
// or one element a line.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/buffer.h"

namespace protean::tfserving {

/// Appends to memory of its own.  Not thread-safe.
class PrettyWriter {
 public:
  /// How elements of lists follow each other from now on.
  void one_line(bool value) noexcept { one_line_ = value; }

  void begin_object() { begin('{'); }
  void end_object() { end('}', true); }
  void begin_array() { begin('['); }
  /// Whether the closing bracket stands on its own line is as one_line() says now.
  void end_array() { end(']', !one_line_); }
  /// `value`: text of a JSON value.  Before each element of a list: separate(); before each member: key().
  void raw(std::string_view text);
  void text(std::string_view value);
  void key(std::string_view name);
  /// The comma and the line before an element of a list.
  void separate();

  /// Room for `bytes` at the end; written() says how many were used.
  char* room(std::size_t bytes);
  void written(const char* end) noexcept;
  /// What separate() writes before all but the first element, for loops that write many.
  [[nodiscard]] std::size_t separator_size() const noexcept { return one_line_ ? 2 : 2 + 4 * level_; }
  char* write_separator(char* out) const noexcept;

  [[nodiscard]] Slice finish() &&;

 private:
  void begin(char bracket);
  void end(char bracket, bool own_line);
  void new_line();

  Buffer out_;
  std::size_t size_ = 0;
  std::size_t level_ = 0;
  bool empty_ = true;  // the innermost list or object
  bool one_line_ = false;
};

}  // namespace protean::tfserving
