// SPDX-License-Identifier: Apache-2.0
// Forecasts of a shared queue count full runs; those of a queue without sharing count requests.
#include "serving/scheduling/admission.h"

#include <algorithm>
#include <cmath>

namespace protean {
namespace {

constexpr double kLate = 1.1;
constexpr double kInTime = 1 - 5e-5;
constexpr double kMoreJoin = 1.25;
constexpr double kForgetPerSecond = 0.5;

double ns(Duration duration) noexcept { return static_cast<double>(duration.count()); }
Duration to_duration(double value) noexcept { return Duration(static_cast<Duration::rep>(std::min(value, 9e17))); }

}  // namespace

Forecast forecast(const RunCost& cost, const LaneLoad& load) noexcept {
  double runs_ahead = static_cast<double>(load.ahead.requests);
  std::uint64_t rows_each = load.rows_max;
  std::uint64_t last = load.own_rows;
  if (load.rows_max > 0) {
    const std::uint64_t rows = load.ahead.rows + load.own_rows;
    const std::uint64_t full = rows == 0 ? 0 : (rows - 1) / load.rows_max;
    const auto expected = static_cast<std::uint64_t>(load.recent_rows * kMoreJoin);
    last = std::min(load.rows_max, std::max(rows - full * load.rows_max, expected));
    runs_ahead = static_cast<double>(full);
  } else if (load.ahead.requests > 0) {
    rows_each = std::max<std::uint64_t>(1, load.ahead.rows / load.ahead.requests);
  }
  const double each_ns = ns(cost.predict(rows_each));
  // Runs that vary on their own vary less together: the spread of their sum grows with the root of their number.
  const double spread_ns = (ns(cost.predict_upper(rows_each)) - each_ns) * std::sqrt(runs_ahead);
  const double ahead_ns = runs_ahead * each_ns + load.overhead_ns * static_cast<double>(load.ahead.requests);
  const double companions = load.rows_max > 0 ? static_cast<double>(last) : 1;
  Forecast result;
  result.wait =
      load.runner_free + to_duration((ns(load.running) + ahead_ns + spread_ns) / std::max(load.runners, 1e-3));
  result.run = to_duration(ns(cost.predict_upper(last)) + load.overhead_ns * companions);
  return result;
}

void Pessimism::note_run(double& factor, bool late) noexcept {
  factor = std::clamp(factor * (late ? kLate : kInTime), 1.0, kMax);
}

void Pessimism::pass_time(double& factor, TimePoint& looked_at, TimePoint now) noexcept {
  if (factor > 1 && now > looked_at) {
    const double seconds = ns(now - looked_at) / 1e9;
    factor = 1 + (factor - 1) * std::pow(kForgetPerSecond, std::min(seconds, 60.0));
  }
  looked_at = now;
}

}  // namespace protean
