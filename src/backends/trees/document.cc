// SPDX-License-Identifier: Apache-2.0
// Looking things up in documents, with messages that say where.
#include "backends/trees/document.h"

#include <fmt/format.h>

#include <cmath>

#include "backends/trees/numbers.h"
#include "base/text.h"

namespace protean {
namespace {

tl::unexpected<Error> lacking(const Document& value, std::string_view name, std::string_view where,
                              std::string_view expected) {
  return fail(Code::kInvalidArgument, fmt::format("{}: '{}' is {}, expected {}", where, name,
                                                  value.is_null() ? "missing" : "something else", expected));
}

}  // namespace

const Document& Document::operator[](std::string_view name) const noexcept {
  static const Document none;
  const auto* found = members();
  if (found == nullptr) return none;
  for (const auto& [key, value] : *found) {
    if (key == name) return value;
  }
  return none;
}

Result<std::string> get_text(const Document& object, std::string_view name, std::string_view where) {
  const auto& value = object[name];
  if (value.text() == nullptr) return lacking(value, name, where, "a text");
  return *value.text();
}

Result<double> get_number(const Document& object, std::string_view name, std::string_view where) {
  const auto& value = object[name];
  if (const auto* number = value.number()) return *number;
  if (const auto* text = value.text()) {
    if (const auto number = parse_double(*text)) return *number;
  }
  return lacking(value, name, where, "a number");
}

Result<std::uint64_t> get_count(const Document& object, std::string_view name, std::uint64_t max,
                                std::string_view where) {
  TRY(const double number, get_number(object, name, where));
  if (!(number >= 0) || number > static_cast<double>(max) || number != std::floor(number)) {
    return fail(Code::kInvalidArgument, fmt::format("{}: '{}' is {}, expected 0 to {}", where, name, number, max));
  }
  return static_cast<std::uint64_t>(number);
}

Result<const Document::Numbers*> get_numbers(const Document& object, std::string_view name, std::string_view where) {
  static const Document::Numbers none;
  const auto& value = object[name];
  if (value.numbers() != nullptr) return value.numbers();
  if (value.items() != nullptr && value.items()->empty()) return &none;
  return lacking(value, name, where, "an array of numbers");
}

Result<const Document::Array*> get_items(const Document& object, std::string_view name, std::string_view where) {
  const auto& value = object[name];
  if (value.items() == nullptr) return lacking(value, name, where, "an array");
  return value.items();
}

Result<std::vector<std::string>> get_texts(const Document& object, std::string_view name, std::string_view where) {
  std::vector<std::string> texts;
  const auto& value = object[name];
  if (value.is_null()) return texts;
  TRY(const auto* items, get_items(object, name, where));
  for (const auto& item : *items) {
    if (item.text() == nullptr) return lacking(value, name, where, "an array of texts");
    texts.push_back(*item.text());
  }
  return texts;
}

}  // namespace protean
