// SPDX-License-Identifier: Apache-2.0
// Values inside a text that check_syntax() has passed, read where they lie: no tree is built, so that a faulty body
// costs no memory. Lists are walked once for each thing that is asked of them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "protocols/tensorflow_serving/json_number.h"

namespace protean::tfserving {

enum class JsonType : unsigned char { kNull, kFalse, kTrue, kObject, kArray, kString, kNumber };

/// `Null`, `False` and so on, as messages name them.
[[nodiscard]] std::string_view json_type_name(JsonType type) noexcept;

struct JsonExtent {
  std::size_t size;
  std::size_t bytes;
};

/// A view into the text, which outlives it.
class JsonValue {
 public:
  /// `rest`: the text from the value's first byte on.
  explicit JsonValue(std::string_view rest) noexcept : rest_(rest) {}

  [[nodiscard]] JsonType type() const noexcept;
  [[nodiscard]] bool is(JsonType type) const noexcept { return this->type() == type; }
  /// Requires the type.
  [[nodiscard]] NumberToken number() const noexcept { return scan_number(rest_); }
  [[nodiscard]] std::string string() const;
  /// Elements of a list.
  [[nodiscard]] std::size_t size() const noexcept { return extent().size; }
  /// The same with how many bytes the list has in the text, which is what finding out has cost.
  [[nodiscard]] JsonExtent extent() const noexcept;
  /// The first member of that name of an object.
  [[nodiscard]] std::optional<JsonValue> find(std::string_view name) const;
  /// The first element of a list.
  [[nodiscard]] std::optional<JsonValue> first() const noexcept;
  /// The text of an object `{"b64": "..."}` with no other member.
  [[nodiscard]] std::optional<std::string> base64_text() const;
  /// What follows the value.
  [[nodiscard]] std::string_view after() const noexcept;
  /// The text from the value's first byte on, beyond its end.
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

 private:
  std::string_view rest_;
};

/// Walks a list: `for (JsonElements at(list); at; at.next()) use(at.value());`
class JsonElements {
 public:
  explicit JsonElements(const JsonValue& list) noexcept;
  explicit operator bool() const noexcept { return !done_; }
  /// The text from where the walk stands; at its end that is the closing bracket.
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
  [[nodiscard]] JsonValue value() const noexcept { return JsonValue(rest_); }
  void next() noexcept { next(value().after()); }
  /// `after`: what follows the value, for who knows it already.
  void next(std::string_view after) noexcept;

 private:
  std::string_view rest_;
  bool done_;
};

/// Walks an object in the same way.
class JsonMembers {
 public:
  explicit JsonMembers(const JsonValue& object) noexcept;
  explicit operator bool() const noexcept { return !done_; }
  [[nodiscard]] std::string name() const { return name_.string(); }
  [[nodiscard]] JsonValue value() const noexcept { return value_; }
  void next() noexcept;

 private:
  void take(std::string_view rest) noexcept;
  JsonValue name_{{}};
  JsonValue value_{{}};
  bool done_;
};

}  // namespace protean::tfserving
