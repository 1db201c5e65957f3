// SPDX-License-Identifier: Apache-2.0
// Rows on their way through a model: a matrix of doubles, and beside it the texts of those columns that hold text.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace protean::sklearn {

/// Row-major.
struct Matrix {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<double> values;

  Matrix() = default;
  Matrix(std::size_t row_count, std::size_t col_count) { reset(row_count, col_count); }
  /// All zeros afterwards.
  void reset(std::size_t row_count, std::size_t col_count) {
    rows = row_count;
    cols = col_count;
    values.assign(rows * cols, 0.0);
  }
  [[nodiscard]] double* row(std::size_t i) { return values.data() + i * cols; }
  [[nodiscard]] const double* row(std::size_t i) const { return values.data() + i * cols; }
  [[nodiscard]] std::span<const double> row_span(std::size_t i) const { return {row(i), cols}; }
  [[nodiscard]] double& at(std::size_t i, std::size_t j) { return values[i * cols + j]; }
  [[nodiscard]] double at(std::size_t i, std::size_t j) const { return values[i * cols + j]; }
};

/// A view of the request's bytes or of the model's own texts.
struct Cell {
  std::string_view text;
  bool missing = false;
};

/// `texts`: empty when all columns are numbers; else one list a column, which is empty for a column of numbers.
struct Frame {
  Matrix numbers;
  std::vector<std::vector<Cell>> texts;

  [[nodiscard]] std::size_t rows() const noexcept { return numbers.rows; }
  [[nodiscard]] std::size_t cols() const noexcept { return numbers.cols; }
  [[nodiscard]] bool is_text(std::size_t col) const noexcept { return col < texts.size() && !texts[col].empty(); }
};

}  // namespace protean::sklearn
