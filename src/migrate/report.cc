// SPDX-License-Identifier: Apache-2.0
// What the three forms share.
#include "migrate/report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

namespace protean::migrate {

Report make_report(const Migration& migration) {
  const MigrationOptions& options = migration.options();
  Report report;
  report.figures = migration.statistics().snapshot();
  report.total = report.figures.total();
  report.from = options.from;
  report.to = options.to;
  report.dialect = migration.dialect().name();
  report.weight_to = migration.split().to();
  report.mirror_share = options.mirror_share;
  report.tolerance = options.tolerance;
  report.up = {migration.health(Side::kFrom).up(), migration.health(Side::kTo).up()};
  report.at = std::chrono::system_clock::now();
  return report;
}

Judgement judge(const Report& report) {
  const std::uint64_t compared = report.total.compared();
  const std::uint64_t different = report.total.count(Verdict::kDifferent);
  const std::uint64_t one_sided = report.total.one_side_failed();
  const auto plural = [](std::uint64_t n, std::string_view one, std::string_view many) {
    return fmt::format("{} {}", n, n == 1 ? one : many);
  };
  if (compared == 0 && one_sided == 0) return {false, false, "Nothing has been compared yet"};
  if (different != 0) {
    return {false, true,
            fmt::format("{} of {} differ", different, plural(compared, "compared answer", "compared answers"))};
  }
  const std::string none = fmt::format("No difference in {}", plural(compared, "compared answer", "compared answers"));
  if (one_sided == 0) return {true, false, none};
  return {false, true, fmt::format("{}, but {} came from one side only", none, plural(one_sided, "answer", "answers"))};
}

std::string latency_text(const LatencyHistogram& latency, double quantile) {
  if (latency.count() == 0) return "-";
  const double us = std::chrono::duration<double, std::micro>(latency.quantile(quantile)).count();
  if (us < 1000) return fmt::format("{:.0f} us", us);
  return us < 1e6 ? fmt::format("{:.3g} ms", us / 1e3) : fmt::format("{:.3g} s", us / 1e6);
}

std::string time_text(std::chrono::system_clock::time_point time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

}  // namespace protean::migrate
