// SPDX-License-Identifier: Apache-2.0
// Chooses the ranges, draws the bars, and writes percentiles beside them.
#include "cli/bench/latency_picture.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "cli/command_flags.h"
#include "cli/text_table.h"

namespace protean {
namespace {

constexpr std::size_t kLines = 14;
constexpr std::size_t kColumnsMin = 60;
constexpr std::array<std::pair<double, std::string_view>, 4> kMarks = {
    {{0.5, "p50"}, {0.9, "p90"}, {0.99, "p99"}, {0.999, "p99.9"}}};

struct Range {
  Duration up_to;
  std::uint64_t count = 0;
  std::string marks;
};

std::vector<Range> ranges_of(const LatencyHistogram& histogram) {
  const auto low = static_cast<double>(std::max<std::int64_t>(1, histogram.min().count()));
  const auto high = static_cast<double>(std::max<std::int64_t>(1, histogram.max().count()));
  // Never finer than the histogram itself.
  const double factor = std::max(1.03, std::pow(high / low, 1.0 / kLines));
  std::vector<Range> ranges;
  Duration above(-1);
  double up_to = low;
  while (above < histogram.max()) {
    up_to *= factor;
    Range range{std::min(Duration(std::llround(up_to)), histogram.max()), 0, {}};
    if (ranges.size() + 1 == kLines) range.up_to = histogram.max();
    // The last range has no upper end: buckets reach a little beyond what was recorded.
    range.count = histogram.count_between(above, range.up_to == histogram.max() ? Duration::max() : range.up_to);
    for (const auto& [q, name] : kMarks) {
      const Duration at = histogram.quantile(q);
      if (at > above && at <= range.up_to) range.marks += fmt::format("{}{}", range.marks.empty() ? "" : " ", name);
    }
    above = range.up_to;
    ranges.push_back(std::move(range));
  }
  return ranges;
}

std::string bar(double share, std::size_t columns, bool blocks) {
  constexpr std::array<std::string_view, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double length = share * static_cast<double>(columns);
  std::string out;
  if (!blocks) return std::string(std::max<std::size_t>(share > 0 ? 1 : 0, static_cast<std::size_t>(length)), '#');
  const auto eighths = std::max<std::size_t>(share > 0 ? 1 : 0, static_cast<std::size_t>(length * 8));
  for (std::size_t i = 0; i < eighths / 8; ++i) out += "█";
  return out + std::string(kEighths[eighths % 8]);
}

}  // namespace

PictureStyle picture_style(int descriptor) {
  const Terminal terminal = terminal_of(descriptor);
  PictureStyle style{terminal.columns, terminal.colour, false};
  std::string locale;
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    locale = value;
    break;
  }
  const bool utf8 = locale.find("UTF-8") != std::string::npos || locale.find("utf8") != std::string::npos;
  style.blocks = ::isatty(descriptor) != 0 && utf8;
  return style;
}

std::string format_latency_picture(const LatencyHistogram& histogram, const PictureStyle& style) {
  if (histogram.count() == 0) return {};
  const auto ranges = ranges_of(histogram);
  std::uint64_t largest = 1;
  for (const auto& range : ranges) largest = std::max(largest, range.count);
  // `  <= ` + time (8) + gap + bar + gap + count (10) + share (7) + gap + marks (19)
  constexpr std::size_t kBesideBar = 5 + 8 + 1 + 1 + 10 + 7 + 1 + 19;
  const std::size_t width =
      std::max(style.columns, kColumnsMin) - std::min(std::max(style.columns, kColumnsMin) - 8, kBesideBar);
  std::string out;
  for (const auto& range : ranges) {
    const std::string drawn = bar(static_cast<double>(range.count) / static_cast<double>(largest), width, style.blocks);
    const double percent = 100 * static_cast<double>(range.count) / static_cast<double>(histogram.count());
    std::string line =
        fmt::format("  <= {:>8} {}{} {:>10} {:>5.1f} %", format_span(range.up_to), painted(drawn, "36", style.colour),
                    std::string(width - std::min(width, display_width(drawn)), ' '), range.count, percent);
    if (!range.marks.empty()) line += " " + painted(range.marks, "1", style.colour);
    out += line + "\n";
  }
  return out;
}

}  // namespace protean
