// SPDX-License-Identifier: Apache-2.0
// What the search found, as a table and a curve for a terminal.
#pragma once

#include <string>
#include <vector>

#include "cli/bench/latency_picture.h"
#include "cli/tune/tune_plan.h"

namespace protean {

/// `trials`: one a configuration, in their order.  `setting`: protocol, load and machine in a few words.
struct TuneReport {
  std::string model;
  std::string setting;
  Slo slo;
  std::vector<TuneTrial> trials;
  bool interrupted = false;
};

/// Lines of at most `style.columns`, which counts as at least 72.
[[nodiscard]] std::string format_tune_report(const TuneReport& report, const PictureStyle& style);

/// Throughput from left to right, latency upwards on a logarithmic scale, the objective as a line. The best
/// configuration's points stand out.
[[nodiscard]] std::string format_tune_chart(const TuneReport& report, const PictureStyle& style);

/// `1,234 requests/s at p99 12 ms`, or why not.
[[nodiscard]] std::string format_tune_result(const TuneTrial& trial, const Slo& slo);

}  // namespace protean
