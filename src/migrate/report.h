// SPDX-License-Identifier: Apache-2.0
// How a migration is told: to people in a terminal and on a page, to scripts as JSON. All three are made from the same
// snapshot, so that they never disagree.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "migrate/migration.h"

namespace protean::migrate {

struct Report {
  Snapshot figures;
  ParityRow total;
  std::string from;
  std::string to;
  std::string dialect;
  double weight_to = 0;
  double mirror_share = 0;
  double tolerance = 0;
  std::array<bool, kSides> up{};
  std::chrono::system_clock::time_point at;
};

[[nodiscard]] Report make_report(const Migration& migration);

/// The one sentence that matters. `good`: proven so far; neither: nothing was compared.
struct Judgement {
  bool good = false;
  bool bad = false;
  std::string text;
};
[[nodiscard]] Judgement judge(const Report& report);

/// One object; docs/migrate.md describes it.
[[nodiscard]] std::string format_report_json(const Report& report);

/// A complete page that loads nothing. `live`: it reloads itself.
[[nodiscard]] std::string format_report_html(const Report& report, bool live);

/// A block of lines for a terminal, none longer than `columns` characters.
[[nodiscard]] std::string format_report_text(const Report& report, std::size_t columns);

/// `1.24 ms`; `-` when there is nothing.
[[nodiscard]] std::string latency_text(const LatencyHistogram& latency, double quantile);
/// `2026-01-02T03:04:05Z`.
[[nodiscard]] std::string time_text(std::chrono::system_clock::time_point time);

}  // namespace protean::migrate
