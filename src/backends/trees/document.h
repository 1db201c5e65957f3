// SPDX-License-Identifier: Apache-2.0
// What JSON and UBJSON files hold, once for both: the readers of XGBoost and CatBoost models look at documents and
// never at bytes. An array of numbers is kept as numbers, which is what nearly all of a model file is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace protean {

/// A value with everything below it.  Look-ups of what is not there give the null document, so that a path can be
/// followed before it is checked.
class Document {
 public:
  using Numbers = std::vector<double>;
  using Array = std::vector<Document>;
  using Members = std::vector<std::pair<std::string, Document>>;
  using Value = std::variant<std::monostate, bool, double, std::string, Numbers, Array, Members>;

  Document() = default;
  explicit Document(Value value) : value_(std::move(value)) {}

  [[nodiscard]] bool is_null() const noexcept { return std::holds_alternative<std::monostate>(value_); }
  [[nodiscard]] bool is_object() const noexcept { return std::holds_alternative<Members>(value_); }
  [[nodiscard]] bool is_array() const noexcept { return items() != nullptr || numbers() != nullptr; }
  [[nodiscard]] const std::string* text() const noexcept { return std::get_if<std::string>(&value_); }
  [[nodiscard]] const double* number() const noexcept { return std::get_if<double>(&value_); }
  [[nodiscard]] const bool* boolean() const noexcept { return std::get_if<bool>(&value_); }
  /// Of an array of numbers and booleans (true is 1), not empty.
  [[nodiscard]] const Numbers* numbers() const noexcept { return std::get_if<Numbers>(&value_); }
  /// Of any other array.
  [[nodiscard]] const Array* items() const noexcept { return std::get_if<Array>(&value_); }
  [[nodiscard]] const Members* members() const noexcept { return std::get_if<Members>(&value_); }
  /// The first member of that name.
  [[nodiscard]] const Document& operator[](std::string_view name) const noexcept;
  [[nodiscard]] Value& value() noexcept { return value_; }

 private:
  Value value_;
};

/// Levels that a document may have, the outermost included.
inline constexpr std::size_t kDocumentDepthMax = 256;

/// RFC 8259, and NaN, Infinity and -Infinity as XGBoost writes them.
/// Errors: kInvalidArgument with the byte where it is malformed or nested deeper than kDocumentDepthMax. Memory is at
/// most a small multiple of the text's size.
[[nodiscard]] Result<Document> parse_json(std::string_view text);

/// UBJSON draft 12 as XGBoost writes it: no no-ops, no high-precision numbers. Errors: as parse_json().
[[nodiscard]] Result<Document> parse_ubjson(std::string_view bytes);

// ---- asking for what must be there ----------------------------------------------------------------------------------
// `where`: what the value is part of, for messages. Errors: kInvalidArgument: `tree 3: 'left_children' is missing`.

[[nodiscard]] Result<std::string> get_text(const Document& object, std::string_view name, std::string_view where);
/// A whole number of 0 to `max`, written as a number or as text.
[[nodiscard]] Result<std::uint64_t> get_count(const Document& object, std::string_view name, std::uint64_t max,
                                              std::string_view where);
/// A number, written as a number or as text.
[[nodiscard]] Result<double> get_number(const Document& object, std::string_view name, std::string_view where);
/// An array of numbers; empty when it is an empty array.
[[nodiscard]] Result<const Document::Numbers*> get_numbers(const Document& object, std::string_view name,
                                                           std::string_view where);
/// An array of other things; nullptr's stand-in, an empty array, when it is empty.
[[nodiscard]] Result<const Document::Array*> get_items(const Document& object, std::string_view name,
                                                       std::string_view where);
/// An array of texts; none when it is missing.
[[nodiscard]] Result<std::vector<std::string>> get_texts(const Document& object, std::string_view name,
                                                         std::string_view where);

}  // namespace protean
