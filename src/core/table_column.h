// SPDX-License-Identifier: Apache-2.0
// One column of one request, value by value: numbers, texts that are categories, missing values.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/buffer.h"
#include "base/result.h"
#include "core/inference.h"
#include "core/model.h"

namespace protean {

/// The first few texts in quotes: `'a', 'b' and 7 more`.
[[nodiscard]] std::string quoted_list(std::span<const std::string> texts);

/// The position of a text among a column's categories. Built for the column of one request.
class CategoryIndex {
 public:
  CategoryIndex(std::span<const std::string> categories, std::size_t rows);
  [[nodiscard]] std::optional<std::size_t> find(std::string_view text) const;

 private:
  std::span<const std::string> categories_;
  std::unordered_map<std::string_view, std::size_t> positions_;
};

/// Where a column's values go: every `stride` bytes from `first`.
struct Target {
  DataType type;
  std::byte* first;
  std::size_t stride;
};

/// Writes the values of `input`, a tensor of `rows` elements that check_data() has passed.
/// Errors of all: kInvalidArgument naming the column and the row.
class ColumnWriter {
 public:
  ColumnWriter(const Column& column, const InferInput& input, std::size_t rows)
      : column_(column), input_(input), rows_(rows), categories_(column.categories, rows) {}

  Status write(const Target& target);
  /// The column as BYTES elements, for a model that takes texts.
  Status append_texts(Buffer& out);

 private:
  [[nodiscard]] bool all_missing() const noexcept { return input_.nulls.size() == rows_; }
  /// Rows are asked for in ascending order.
  [[nodiscard]] bool is_null(std::size_t row) noexcept;
  template <typename Read>
  Status each(const Target& target, Read read);
  Status write_texts(const Target& target);
  /// A number as the client wrote it: held against the column's own type, then looked up where it names a category.
  Status put(const Target& target, std::size_t row, long double value);
  Status store(const Target& target, std::size_t row, long double value);

  [[nodiscard]] std::string expected_categories() const;
  [[nodiscard]] tl::unexpected<Error> refuse(std::string_view what) const;
  [[nodiscard]] tl::unexpected<Error> refuse_value(std::size_t row, std::string_view found,
                                                   std::string_view expected) const;
  [[nodiscard]] tl::unexpected<Error> missing_value(std::size_t row) const;
  [[nodiscard]] tl::unexpected<Error> unknown_category(std::size_t row, std::string_view text) const;

  const Column& column_;
  const InferInput& input_;
  const std::size_t rows_;
  const CategoryIndex categories_;
  std::size_t next_null_ = 0;
};

}  // namespace protean
