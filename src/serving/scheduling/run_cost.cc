// SPDX-License-Identifier: Apache-2.0
// Exponential means with hysteresis between the two thresholds, so that a model does not flap.
#include "serving/scheduling/run_cost.h"

#include <fmt/format.h>

#include <algorithm>

namespace protean {
namespace {

constexpr std::int64_t kWeight = 8;

}  // namespace

void RunCost::observe(Duration run_time, std::uint64_t input_bytes) noexcept {
  const std::int64_t ns = run_time.count();
  const std::int64_t before = mean_ns_.load(std::memory_order_relaxed);
  const std::int64_t mean = before < 0 ? ns : before + (ns - before) / kWeight;
  const std::uint64_t bytes_before = mean_bytes_.load(std::memory_order_relaxed);
  const auto bytes_change =
      (static_cast<std::int64_t>(input_bytes) - static_cast<std::int64_t>(bytes_before)) / kWeight;
  mean_bytes_.store(before < 0 ? input_bytes : bytes_before + static_cast<std::uint64_t>(bytes_change),
                    std::memory_order_relaxed);
  mean_ns_.store(mean, std::memory_order_relaxed);
  const bool was_inline = inline_.load(std::memory_order_relaxed);
  const bool is_inline = mean < (was_inline ? kExecutorAbove : kInlineBelow).count();
  if (is_inline != was_inline) inline_.store(is_inline, std::memory_order_relaxed);
}

bool RunCost::runs_inline(std::uint64_t input_bytes) const noexcept {
  if (!inline_.load(std::memory_order_relaxed)) return false;
  const std::uint64_t usual = std::max<std::uint64_t>(mean_bytes_.load(std::memory_order_relaxed), 512);
  return input_bytes / kUnusualFactor <= usual;
}

std::string RunCost::description() const {
  const std::int64_t mean = mean_ns_.load(std::memory_order_relaxed);
  if (mean < 0) return "executor (not run yet)";
  const char* where = inline_.load(std::memory_order_relaxed) ? "inline" : "executor";
  return fmt::format("{} ({} us a run)", where, (mean + 999) / 1000);
}

}  // namespace protean
