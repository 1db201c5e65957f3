// SPDX-License-Identifier: Apache-2.0
// Exponential means with hysteresis between the two thresholds, so that a model does not flap, and the line through
// the means of runs of different sizes.
#include "serving/scheduling/run_cost.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace protean {
namespace {

constexpr std::int64_t kWeight = 8;
constexpr std::uint32_t kSettled = 16;  // runs after which a bucket's mean moves by 1/16 a run
constexpr double kOutlier = 4;
constexpr std::int64_t kOutlierFloorNs = 25'000;
constexpr std::uint64_t kFitEvery = 16;  // runs, once the buckets have settled
constexpr double kSpreadMin = 1.05;
constexpr double kSpreadMax = 4;
constexpr double kSpreadStep = 0.05;
constexpr double kQuantile = 0.99;

template <typename T>
T read(const std::atomic<T>& value) noexcept {
  return value.load(std::memory_order_relaxed);
}

template <typename T>
void write(std::atomic<T>& place, T value) noexcept {
  place.store(value, std::memory_order_relaxed);
}

Duration to_duration(double ns) noexcept { return Duration(static_cast<Duration::rep>(std::min(ns, 9e17))); }

}  // namespace

std::size_t RunCost::bucket_of(std::uint64_t rows) noexcept {
  const auto width = static_cast<std::size_t>(std::bit_width(std::max<std::uint64_t>(rows, 1) - 1));
  return std::min(width, kBuckets - 1);
}

void RunCost::observe(Duration run_time, std::uint64_t input_bytes, std::uint64_t rows, bool shared) noexcept {
  const auto ns = static_cast<double>(run_time.count());
  const std::uint64_t runs = read(runs_) + 1;
  observe_spread(ns, rows);
  Bucket& bucket = buckets_[bucket_of(rows)];
  const std::uint32_t count = std::min(read(bucket.count) + 1, kSettled);
  const double before = read(bucket.mean_ns);
  const double seen = count >= kSettled / 2 ? std::min(ns, kOutlier * std::max(before, 1000.0)) : ns;
  const double rows_before = read(bucket.mean_rows);
  write(bucket.mean_ns, before + (seen - before) / count);
  write(bucket.mean_rows, rows_before + (static_cast<double>(rows) - rows_before) / count);
  write(bucket.count, count);
  write(bucket.last_run, runs);
  write(runs_, runs);
  if (count < kSettled || runs % kFitEvery == 0) fit();

  const std::int64_t known = read(mean_ns_);
  if (shared && known >= 0) return;
  // A run during which the thread lost its processor says nothing about the model.
  const std::int64_t most = std::max(known, kOutlierFloorNs) * static_cast<std::int64_t>(kOutlier);
  const std::int64_t single = runs > kSettled ? std::min<std::int64_t>(run_time.count(), most) : run_time.count();
  const std::int64_t mean = known < 0 ? single : known + (single - known) / kWeight;
  const std::uint64_t bytes_before = read(mean_bytes_);
  const auto bytes_change =
      (static_cast<std::int64_t>(input_bytes) - static_cast<std::int64_t>(bytes_before)) / kWeight;
  write(mean_bytes_, known < 0 ? input_bytes : bytes_before + static_cast<std::uint64_t>(bytes_change));
  write(mean_ns_, mean);
  const bool was_inline = read(inline_);
  const bool is_inline = mean < (was_inline ? kExecutorAbove : kInlineBelow).count();
  if (is_inline != was_inline) write(inline_, is_inline);
}

void RunCost::observe_spread(double ns, std::uint64_t rows) noexcept {
  const auto expected = static_cast<double>(predict(rows).count());
  if (expected <= 0) return;
  // Stochastic approximation of a quantile: rare steps up and frequent small steps down balance where 1 run in 100
  // is above. Source: Robbins and Monro, "A Stochastic Approximation Method", 1951.
  const double spread = read(spread_);
  const double step = kSpreadStep * (ns / expected > spread ? kQuantile : kQuantile - 1);
  write(spread_, std::clamp(spread * (1 + step), kSpreadMin, kSpreadMax));
}

void RunCost::fit() noexcept {
  double weight_sum = 0, rows_sum = 0, ns_sum = 0;
  std::array<double, kBuckets> weights{};
  const std::uint64_t runs = read(runs_);
  std::size_t used = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const std::uint32_t count = read(buckets_[i].count);
    if (count == 0) continue;
    const auto age = static_cast<double>(runs - std::min(runs, read(buckets_[i].last_run)));
    // Relative errors count: a bucket of 64 rows must not outweigh that of one row by its larger times.
    const double scale = std::max(read(buckets_[i].mean_ns), 1.0);
    weights[i] = count * std::exp2(-std::min(age / kHalfLife, 30.0)) / (scale * scale);
    weight_sum += weights[i];
    rows_sum += weights[i] * read(buckets_[i].mean_rows);
    ns_sum += weights[i] * read(buckets_[i].mean_ns);
    ++used;
  }
  if (used == 0) return;
  const double rows_mean = rows_sum / weight_sum;
  const double ns_mean = ns_sum / weight_sum;
  double square = 0, product = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    if (weights[i] <= 0) continue;
    const double off = read(buckets_[i].mean_rows) - rows_mean;
    square += weights[i] * off * off;
    product += weights[i] * off * (read(buckets_[i].mean_ns) - ns_mean);
  }
  // One size tells nothing about the other term: the whole cost is then taken to be the rows', which promises nothing.
  const bool curve = used > 1 && square > 0;
  double row = curve ? std::max(0.0, product / square) : ns_mean / std::max(rows_mean, 1.0);
  row = std::min(row, ns_mean / std::max(rows_mean, 1.0));
  write(row_ns_, row);
  write(run_ns_, std::max(0.0, ns_mean - row * rows_mean));
  write(curve_known_, curve);
}

Duration RunCost::predict(std::uint64_t rows) const noexcept {
  const double line = read(run_ns_) + read(row_ns_) * static_cast<double>(rows);
  const Bucket& bucket = buckets_[bucket_of(rows)];
  if (read(bucket.count) < kSettled / 4) return to_duration(line);
  // Where runs of about this size were measured, the measure bends the line.
  const double at = read(run_ns_) + read(row_ns_) * read(bucket.mean_rows);
  return to_duration(at > 0 ? line * (read(bucket.mean_ns) / at) : read(bucket.mean_ns));
}

Duration RunCost::predict_upper(std::uint64_t rows) const noexcept {
  return to_duration(static_cast<double>(predict(rows).count()) * read(spread_));
}

bool RunCost::runs_inline(std::uint64_t input_bytes) const noexcept {
  if (!read(inline_)) return false;
  const std::uint64_t usual = std::max<std::uint64_t>(read(mean_bytes_), 512);
  return input_bytes / kUnusualFactor <= usual;
}

std::string RunCost::description() const {
  const std::int64_t mean = read(mean_ns_);
  if (mean < 0) return "executor (not run yet)";
  return fmt::format("{} ({} us a run)", read(inline_) ? "inline" : "executor", (mean + 999) / 1000);
}

std::string RunCost::curve() const {
  if (!known()) return "not measured yet";
  return fmt::format("{:.1f} us + {:.2f} us a row{}; 99 % of runs within {:.2f} of that", run_ns() / 1000,
                     row_ns() / 1000, curve_known() ? "" : " (one size measured)", read(spread_));
}

}  // namespace protean
