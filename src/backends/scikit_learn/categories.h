// SPDX-License-Identifier: Apache-2.0
// categories_ of an encoder: the values that one column may have, numbers or texts, with or without a missing one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "backends/scikit_learn/estimator.h"
#include "backends/scikit_learn/state.h"
#include "base/result.h"

namespace protean::sklearn {

/// Immutable after make().
class Categories {
 public:
  Categories() = default;
  Categories(Categories&&) noexcept = default;
  Categories& operator=(Categories&&) noexcept = default;
  /// `values`: an array of numbers, of texts, or of objects (texts, and None or NaN).
  /// Errors: kInvalidArgument for objects of other kinds or both numbers and texts.
  static Result<Categories> make(const Value& values, LoadContext& context);

  [[nodiscard]] bool texts() const noexcept { return texts_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Whether a missing value is one of them.
  [[nodiscard]] bool has_missing() const noexcept { return missing_.has_value(); }
  /// The position of the value in row `row` of column `col`; nullopt when it is none of them.
  [[nodiscard]] std::optional<std::size_t> find(const Frame& in, std::size_t row, std::size_t col) const;
  [[nodiscard]] ColumnFacts facts() const;

 private:
  bool texts_ = false;
  std::size_t size_ = 0;
  std::optional<std::size_t> missing_;
  std::unordered_map<std::string_view, std::size_t> by_text_;
  std::map<double, std::size_t> by_number_;
  std::vector<std::string> names_;  // of by_text_: never grows after make()
};

/// `categories_`, one for each column.
[[nodiscard]] Result<std::vector<Categories>> read_categories(const State& state, std::size_t columns);
/// For messages: the value in quotes.
[[nodiscard]] std::string describe_value(const Frame& in, std::size_t row, std::size_t col);

}  // namespace protean::sklearn
