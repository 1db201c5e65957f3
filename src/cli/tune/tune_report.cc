// SPDX-License-Identifier: Apache-2.0
// Table and chart; see the header.
#include "cli/tune/tune_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "cli/command_flags.h"
#include "cli/text_table.h"

namespace protean {
namespace {

constexpr std::size_t kColumnsMin = 72;
constexpr std::size_t kHeight = 16;
constexpr std::size_t kAxis = 11;  // columns left of the chart
/// Latencies above so many times the objective are drawn at the upper edge: nobody tunes for them.
constexpr double kShownMax = 8;

/// Turns points into cells. Rows count from the upper edge.
class Scale {
 public:
  Scale(const TuneReport& report, std::size_t width) : width_(width) {
    const auto limit = static_cast<double>(report.slo.limit.count());
    high_ = limit * 1.5;
    low_ = limit;
    for (const auto& trial : report.trials) {
      for (const auto& point : trial.points) {
        const auto latency = static_cast<double>(std::max<std::int64_t>(1, point.latency.count()));
        most_ = std::max(most_, point.requests_per_second);
        low_ = std::min(low_, latency);
        high_ = std::max(high_, std::min(latency, limit * kShownMax));
      }
    }
    low_ *= 0.8;
  }
  [[nodiscard]] std::size_t column(double rate) const {
    return std::min(width_ - 1, static_cast<std::size_t>(rate / most_ * static_cast<double>(width_ - 1)));
  }
  [[nodiscard]] std::size_t row(Duration latency) const {
    const double value = std::clamp(static_cast<double>(latency.count()), low_, high_);
    const double share = std::log(value / low_) / std::log(high_ / low_);
    return static_cast<std::size_t>(std::lround((1 - share) * static_cast<double>(kHeight - 1)));
  }
  [[nodiscard]] Duration latency(std::size_t row) const {
    const double share = 1 - static_cast<double>(row) / static_cast<double>(kHeight - 1);
    return Duration(std::llround(low_ * std::pow(high_ / low_, share)));
  }
  [[nodiscard]] double most() const noexcept { return most_; }

 private:
  const std::size_t width_;
  double most_ = 1;
  double low_ = 1;
  double high_ = 2;
};

struct Cell {
  std::string_view text = " ";
  std::string_view paint;
};

void draw(std::vector<std::vector<Cell>>& cells, const Scale& scale, const TuneTrial& trial, const Cell& cell) {
  for (const auto& point : trial.points) {
    cells[scale.row(point.latency)][scale.column(point.requests_per_second)] = cell;
  }
}

std::string table(const TuneReport& report, const TuneTrial* best, const PictureStyle& style) {
  const std::vector<TableColumn> columns = {{"BATCH", Align::kRight},         {"INSTANCES", Align::kRight},
                                            {"THREADS", Align::kRight},       {"REQUESTS/S", Align::kRight},
                                            {report.slo.name, Align::kRight}, {"", Align::kLeft, true}};
  std::vector<TableRow> rows;
  for (const auto& trial : report.trials) {
    const bool is_best = &trial == best;
    const std::string paint = is_best ? "1;32" : trial.best ? "" : "2";
    TableRow row;
    row.cells = {{fmt::format("{}", trial.config.rows_max), paint},
                 {fmt::format("{}", trial.config.instances), paint},
                 {fmt::format("{}", trial.config.intra_op_threads), paint},
                 {trial.best ? fmt::format("{:.0f}", trial.best->requests_per_second) : "-", paint},
                 {trial.best ? format_span(trial.best->latency) : "-", paint},
                 {is_best      ? "best"
                  : trial.best ? ""
                               : format_tune_result(trial, report.slo),
                  paint}};
    rows.push_back(std::move(row));
  }
  return format_table(columns, rows, std::max(style.columns, kColumnsMin), style.colour);
}

}  // namespace

std::string format_tune_result(const TuneTrial& trial, const Slo& slo) {
  if (!trial.error.empty()) return printable(trial.error, 160);
  if (trial.best) {
    return fmt::format("{:.0f} requests/s at {} {}", trial.best->requests_per_second, slo.name,
                       format_span(trial.best->latency));
  }
  if (trial.points.empty()) return "not measured";
  const TunePoint& first = trial.points.front();
  if (first.failure_share > kFailureShareMax) return fmt::format("{:.1f} % failed", first.failure_share * 100);
  const bool ever = std::ranges::any_of(trial.points, &TunePoint::meets);
  return ever ? "no open loop kept it" : fmt::format("{} with one request at a time", format_span(first.latency));
}

std::string format_tune_chart(const TuneReport& report, const PictureStyle& style) {
  const std::size_t width = std::max(style.columns, kColumnsMin) - kAxis - 2;
  const Scale scale(report, width);
  std::vector<std::vector<Cell>> cells(kHeight, std::vector<Cell>(width));
  const std::size_t limit_row = scale.row(report.slo.limit);
  for (auto& cell : cells[limit_row]) cell = {style.blocks ? "─" : "-", "31"};
  const TuneTrial* best = recommend(report.trials);
  for (const auto& trial : report.trials) draw(cells, scale, trial, {style.blocks ? "·" : ".", "2"});
  if (best != nullptr) {
    draw(cells, scale, *best, {style.blocks ? "●" : "o", "36"});
    cells[scale.row(best->best->latency)][scale.column(best->best->requests_per_second)] = {style.blocks ? "◆" : "@",
                                                                                            "1;32"};
  }
  std::string out;
  for (std::size_t row = 0; row < kHeight; ++row) {
    const bool labelled = row == limit_row || (row % 5 == 0 && row + 1 != limit_row && row != limit_row + 1);
    const Duration at = row == limit_row ? report.slo.limit : scale.latency(row);
    std::string line = fmt::format("  {:>8} {}", labelled ? format_span(at) : "", style.blocks ? "│" : "|");
    for (const auto& cell : cells[row]) line += painted(cell.text, cell.paint, style.colour);
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
  }
  std::string axis(kAxis, ' ');
  out += axis + (style.blocks ? "└" : "+");
  for (std::size_t i = 0; i < width; ++i) out += style.blocks ? "─" : "-";
  const std::string most = fmt::format("{:.0f} requests/s", scale.most());
  out += fmt::format("\n{} 0{:>{}}\n", axis, most, width - 1);
  const auto mark = [&](std::string_view block, std::string_view plain) { return style.blocks ? block : plain; };
  out += fmt::format("  {} upwards; {} best, {} its other loads, {} other configurations\n", report.slo.name,
                     mark("◆", "@"), mark("●", "o"), mark("·", "."));
  return out;
}

std::string format_tune_report(const TuneReport& report, const PictureStyle& style) {
  const std::size_t width = std::max(style.columns, kColumnsMin);
  const TuneTrial* best = recommend(report.trials);
  std::string out = "\n";
  const std::string headline = fmt::format("{}, {} of at most {}; {}", printable(report.model), report.slo.name,
                                           format_span(report.slo.limit), report.setting);
  for (const auto& line : fold(headline, width - 2)) out += "  " + line + "\n";
  if (report.interrupted) out += "  interrupted: what was measured until then\n";
  if (report.trials.empty()) return out + "\n  nothing was measured\n";
  out += "\n" + table(report, best, style) + "\n" + format_tune_chart(report, style) + "\n";
  if (best == nullptr) return out + "  No configuration keeps the objective.\n";
  return out + fmt::format("  Best: {}: {}\n", format_tune_config(best->config), format_tune_result(*best, report.slo));
}

}  // namespace protean
