// SPDX-License-Identifier: Apache-2.0
// A table for terminals: columns as wide as their cells, one of which gives way when the line is too long.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace protean {

enum class Align : unsigned char { kLeft, kRight };

struct TableColumn {
  std::string title;
  Align align = Align::kLeft;
  bool folds = false;  // cells continue below, broken at spaces where possible
};

/// `paint`: SGR parameters such as `32`, empty for none.
struct TableCell {
  std::string text;
  std::string paint;
};

/// What follows a row across the whole width, indented.
struct TableRow {
  std::vector<TableCell> cells;
  std::string note;
};

/// Columns that a terminal gives this UTF-8 text: one for each character that is not a combining mark, two for
/// the wide ones of East Asia.
[[nodiscard]] std::size_t display_width(std::string_view text);

/// Pieces of at most `width` columns, broken at spaces, else at no-break spaces (U+00A0, printed as spaces),
/// else inside words.  width >= 2.
[[nodiscard]] std::vector<std::string> fold(std::string_view text, std::size_t width);

/// `text` between the escape sequences that switch `paint` on and off, or as it is.
[[nodiscard]] std::string painted(std::string_view text, std::string_view paint, bool colour);

/// Lines indented by two, none wider than `width` if the folding columns allow it.
[[nodiscard]] std::string format_table(const std::vector<TableColumn>& columns, const std::vector<TableRow>& rows,
                                       std::size_t width, bool colour);

}  // namespace protean
