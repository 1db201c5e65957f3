// SPDX-License-Identifier: Apache-2.0
// The rule, and the sentence that lets somebody check it.
#include "serving/versions/threading_choice.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace protean {
namespace {

constexpr double kWorthMoreInstances = 1.1;
constexpr double kAsMuchWork = 0.95;
constexpr double kShorter = 0.8;

using Points = std::span<const ScalingPoint>;

const ScalingPoint& best_of(Points curve) {
  const ScalingPoint* best = &curve.front();
  for (const auto& point : curve) {
    if (point.runs_per_second >= kWorthMoreInstances * best->runs_per_second) best = &point;
  }
  return *best;
}

const ScalingPoint& most_of(Points curve) {
  return *std::max_element(curve.begin(), curve.end(), [](const ScalingPoint& a, const ScalingPoint& b) {
    return a.runs_per_second < b.runs_per_second;
  });
}

double ms(Duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

/// `1 at once 1.00, 2 at once 1.90`.
std::string describe(Points curve, double unit) {
  std::string text;
  for (const auto& point : curve) {
    text += fmt::format("{}{} at once {:.2f}", text.empty() ? "" : ", ", point.at_once, point.runs_per_second / unit);
  }
  return text;
}

std::string explain(Points single, Points pooled, bool threads_pay) {
  const double unit = single.front().runs_per_second;
  std::string text =
      fmt::format("work done by runs of {}: {}", count_of(single.front().threads, "thread"), describe(single, unit));
  if (pooled.empty()) return text;
  text +=
      fmt::format("; of {}: {}; a run takes {:.1f} ms, with {} {:.1f} ms: ", count_of(pooled.front().threads, "thread"),
                  describe(pooled, unit), ms(single.front().run_time), count_of(pooled.front().threads, "thread"),
                  ms(pooled.front().run_time));
  return text + (threads_pay ? "threads pay" : "threads do not pay");
}

}  // namespace

std::string count_of(std::uint32_t count, std::string_view one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

Threading choose_threading(Points measured, std::uint32_t run_threads) {
  PROTEAN_CHECK(!measured.empty());
  const auto others = std::find_if(measured.begin(), measured.end(), [&](const ScalingPoint& point) {
    return point.threads != measured.front().threads;
  });
  const Points single(measured.begin(), others);
  const Points pooled(others, measured.end());
  const ScalingPoint* chosen = &best_of(single);
  bool threads_pay = false;
  if (!pooled.empty()) {
    const double needed = kAsMuchWork * chosen->runs_per_second;
    const ScalingPoint& thrifty = best_of(pooled);
    // One more run at once adds little where the threads are busy already, but may be what keeps up with instances.
    const ScalingPoint& shared = thrifty.runs_per_second >= needed ? thrifty : most_of(pooled);
    threads_pay =
        shared.runs_per_second >= needed && ms(pooled.front().run_time) <= kShorter * ms(single.front().run_time);
    if (threads_pay) chosen = &shared;
  }
  Threading result;
  result.instances = chosen->at_once;
  result.run_limit = chosen->at_once >= run_threads ? 0 : chosen->at_once;
  result.threads = chosen->threads;
  result.measured = true;
  result.why = explain(single, pooled, threads_pay);
  return result;
}

}  // namespace protean
