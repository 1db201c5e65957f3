// SPDX-License-Identifier: Apache-2.0
// The report for a terminal: narrow, without colour, redrawn in place by whoever prints it.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "migrate/report.h"

namespace protean::migrate {
namespace {

constexpr std::size_t kRowsShown = 20;
constexpr std::size_t kExamplesShown = 3;
constexpr std::size_t kEventsShown = 3;

std::string name_of(const CallName& call) {
  return call.model.empty() ? call.method : fmt::format("{} {}", call.model, call.method);
}

/// The last columns give way where the terminal is narrow.
struct Layout {
  std::size_t name;
  bool tails;  // p99 beside p50
};

Layout layout_for(std::size_t columns) {
  constexpr std::size_t kFigures = 54;
  constexpr std::size_t kLatencies = 4 * 10;
  const bool tails = columns >= 20 + kFigures + kLatencies;
  const std::size_t taken = kFigures + (tails ? kLatencies : kLatencies / 2);
  return {std::clamp<std::size_t>(columns > taken ? columns - taken : 0, 16, 44), tails};
}

std::string heading(const Layout& layout) {
  const std::string head = fmt::format("  {:<{}}{:>9}{:>8}{:>6}{:>7}{:>7}{:>7}{:>8}", "", layout.name - 2, "compared",
                                       "equal", "close", "format", "DIFFER", "1 side", "dropped");
  if (!layout.tails) return head + fmt::format("{:>10}{:>10}\n", "old p50", "new p50");
  return head + fmt::format("{:>10}{:>10}{:>10}{:>10}\n", "old p50", "p99", "new p50", "p99");
}

std::string row_line(std::string_view name, const ParityRow& row, const Layout& layout) {
  std::string out =
      fmt::format("  {:<{}}{:>9}{:>8}{:>6}{:>7}{:>7}{:>7}{:>8}", printable(name, layout.name - 5), layout.name - 2,
                  row.compared(), row.count(Verdict::kEqual), row.count(Verdict::kWithinTolerance),
                  row.count(Verdict::kFormatting), row.count(Verdict::kDifferent), row.one_side_failed(), row.dropped);
  for (const SideCounts& side : row.sides) {
    out += fmt::format("{:>10}", latency_text(side.latency, 0.5));
    if (layout.tails) out += fmt::format("{:>10}", latency_text(side.latency, 0.99));
  }
  return out + "\n";
}

std::string example_lines(const Example& example) {
  std::string out = fmt::format("  {} #{} {}\n", name_of(example.call), example.ordinal, verdict_name(example.verdict));
  for (std::size_t i = 0; i < std::min<std::size_t>(2, example.differences.size()); ++i) {
    const Difference& each = example.differences[i];
    out += fmt::format("    {} {}: old {} | new {}\n", difference_kind_name(each.kind), each.path,
                       printable(each.from, 60), printable(each.to, 60));
  }
  return out;
}

}  // namespace

std::string format_report_text(const Report& report, std::size_t columns) {
  const Snapshot& figures = report.figures;
  const auto state = [&](Side side) { return report.up[index_of(side)] ? "up" : "DOWN"; };
  std::string out = fmt::format("  {}\n", judge(report).text);
  out += fmt::format("  old {} {}   new {} {}   weight of the new side {:g}\n", report.from, state(Side::kFrom),
                     report.to, state(Side::kTo), report.weight_to);
  out += fmt::format("  requests {}   answered by old {}, by new {}   failed {}   failed over {}\n", figures.requests,
                     report.total.sides[0].answered, report.total.sides[1].answered, figures.failed,
                     figures.failed_over[0] + figures.failed_over[1]);
  const Layout layout = layout_for(columns);
  out += heading(layout);
  std::size_t shown = 0;
  for (const auto& [call, row] : figures.rows) {
    if (++shown > kRowsShown) break;
    out += row_line(name_of(call), row, layout);
  }
  if (figures.rows.size() > kRowsShown) {
    out += fmt::format("  and {} more; the report has them all\n", figures.rows.size() - kRowsShown);
  }
  for (std::size_t i = 0; i < std::min(kExamplesShown, figures.examples.size()); ++i) {
    out += example_lines(figures.examples[i]);
  }
  const std::size_t events = figures.events.size();
  for (std::size_t i = events - std::min(kEventsShown, events); i < events; ++i) {
    out += fmt::format("  {} {}\n", time_text(figures.events[i].at).substr(11, 8), figures.events[i].text);
  }
  std::string cut;
  for (std::size_t begin = 0; begin < out.size();) {
    const std::size_t end = out.find('\n', begin);
    cut.append(out, begin, std::min(end - begin, columns)).push_back('\n');
    begin = end + 1;
  }
  return cut;
}

}  // namespace protean::migrate
