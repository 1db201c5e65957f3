// SPDX-License-Identifier: Apache-2.0
// Widths are counted in terminal columns, never in bytes: model names may be in any script.
#include "cli/text_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <span>

namespace protean {
namespace {

constexpr std::size_t kIndent = 2;
constexpr std::size_t kGap = 2;
constexpr std::size_t kFoldedMin = 16;
constexpr std::string_view kNoBreakSpace = "\xC2\xA0";

struct Range {
  std::uint32_t first, last;
};

/// Scripts and symbols that terminals draw two columns wide (Unicode Standard Annex 11, the large blocks).
constexpr std::array<Range, 7> kWide = {{{0x1100, 0x115F},
                                         {0x2E80, 0xA4CF},
                                         {0xAC00, 0xD7A3},
                                         {0xF900, 0xFAFF},
                                         {0xFE30, 0xFE6F},
                                         {0xFF00, 0xFF60},
                                         {0x1F300, 0x1FAFF}}};
constexpr std::array<Range, 4> kCombining = {{{0x0300, 0x036F}, {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}}};

bool within(std::uint32_t point, std::span<const Range> ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [&](auto r) { return point >= r.first && point <= r.last; });
}

/// One character of valid UTF-8: its bytes and its columns.
struct Character {
  std::size_t bytes, columns;
};

Character character_at(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const std::size_t bytes = std::min(length, text.size() - at);
  std::uint32_t point = length == 1 ? lead : lead & (0x7FU >> length);
  for (std::size_t i = 1; i < bytes; ++i) point = (point << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  if (within(point, kCombining)) return {bytes, 0};
  return {bytes, within(point, kWide) ? std::size_t{2} : 1};
}

/// Bytes of the longest beginning of `text` that is at most `width` columns wide; one character at least.
std::size_t fitting(std::string_view text, std::size_t width) {
  std::size_t bytes = 0;
  std::size_t columns = 0;
  while (bytes < text.size()) {
    const Character next = character_at(text, bytes);
    if (columns + next.columns > width && bytes != 0) break;
    bytes += next.bytes;
    columns += next.columns;
  }
  return bytes;
}

std::string with_plain_spaces(std::string_view text) {
  std::string out;
  while (true) {
    const auto at = text.find(kNoBreakSpace);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    out += ' ';
    text.remove_prefix(at + kNoBreakSpace.size());
  }
}

std::vector<std::size_t> column_widths(const std::vector<TableColumn>& columns, const std::vector<TableRow>& rows,
                                       std::size_t width) {
  std::vector<std::size_t> widths;
  std::size_t total = kIndent;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::size_t widest = display_width(columns[i].title);
    for (const auto& row : rows) widest = std::max(widest, display_width(row.cells.at(i).text));
    widths.push_back(widest);
    total += widest + (i == 0 ? 0 : kGap);
  }
  // The widest column gives way first.
  std::vector<std::size_t> order(columns.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return widths[a] > widths[b]; });
  for (const std::size_t i : order) {
    if (!columns[i].folds || total <= width) continue;
    const std::size_t least = std::min(widths[i], std::max(kFoldedMin, display_width(columns[i].title)));
    const std::size_t given = std::min(total - width, widths[i] - least);
    widths[i] -= given;
    total -= given;
  }
  return widths;
}

/// One line of cells already folded; trailing spaces are left out.
std::string format_line(const std::vector<TableColumn>& columns, const std::vector<std::size_t>& widths,
                        const std::vector<TableCell>& cells, bool colour) {
  std::string line(kIndent, ' ');
  std::size_t missing = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::size_t padding = widths[i] - std::min(widths[i], display_width(cells[i].text));
    if (columns[i].align == Align::kRight) missing += padding;
    if (!cells[i].text.empty()) line += std::string(missing, ' ') + painted(cells[i].text, cells[i].paint, colour);
    missing = (cells[i].text.empty() ? missing : 0) + (columns[i].align == Align::kLeft ? padding : 0) + kGap;
  }
  return line + '\n';
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character next = character_at(text, at);
    at += next.bytes;
    columns += next.columns;
  }
  return columns;
}

std::vector<std::string> fold(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  while (display_width(text) > width) {
    std::size_t end = fitting(text, width);
    std::size_t next = end;
    // The break is at the last space that fits, which may stand just behind the piece.
    if (const auto space = text.rfind(' ', end); space != std::string_view::npos && space != 0) {
      end = space;
      next = std::min(text.find_first_not_of(' ', space), text.size());
    } else if (const auto held = text.rfind(kNoBreakSpace, end); held != std::string_view::npos && held != 0) {
      end = held;
      next = held + kNoBreakSpace.size();
    }
    lines.push_back(with_plain_spaces(text.substr(0, end)));
    text.remove_prefix(next);
  }
  if (!text.empty() || lines.empty()) lines.push_back(with_plain_spaces(text));
  return lines;
}

std::string painted(std::string_view text, std::string_view paint, bool colour) {
  if (!colour || paint.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", paint, text);
}

std::string format_table(const std::vector<TableColumn>& columns, const std::vector<TableRow>& rows, std::size_t width,
                         bool colour) {
  const auto widths = column_widths(columns, rows, width);
  std::vector<TableCell> titles;
  for (const auto& column : columns) titles.push_back({column.title, "2"});
  std::string out = format_line(columns, widths, titles, colour);
  for (const auto& row : rows) {
    std::vector<std::vector<std::string>> folded;
    std::size_t height = 1;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      folded.push_back(columns[i].folds ? fold(row.cells[i].text, widths[i])
                                        : std::vector<std::string>{row.cells[i].text});
      height = std::max(height, folded.back().size());
    }
    for (std::size_t line = 0; line < height; ++line) {
      std::vector<TableCell> cells;
      for (std::size_t i = 0; i < columns.size(); ++i) {
        cells.push_back({line < folded[i].size() ? folded[i][line] : std::string(), row.cells[i].paint});
      }
      out += format_line(columns, widths, cells, colour);
    }
    if (row.note.empty()) continue;
    constexpr std::size_t kNoteIndent = kIndent + 2;
    for (const auto& line : fold(row.note, std::max<std::size_t>(width, kNoteIndent + 20) - kNoteIndent)) {
      out += std::string(kNoteIndent, ' ') + line + '\n';
    }
  }
  return out;
}

}  // namespace protean
