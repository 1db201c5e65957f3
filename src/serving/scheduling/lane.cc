// SPDX-License-Identifier: Apache-2.0
// The decisions about one version that need nothing but the version.
#include "serving/scheduling/lane.h"

#include <algorithm>

#include "serving/loaded_version.h"

namespace protean {
namespace {

constexpr std::uint64_t kJudgedRows = 16;
constexpr double kPaysBelow = 0.9;  // a row's cost in company over its cost alone
constexpr double kPaysNoMoreAbove = 0.97;
constexpr std::uint32_t kTryEvery = 128;  // runs

}  // namespace

const ModelConfig& config_of(const LoadedVersion& version) noexcept {
  static const ModelConfig defaults;
  return version.config ? *version.config : defaults;
}

bool may_share(const LoadedVersion& version) noexcept {
  const BatchConfig& batch = config_of(version).batch;
  return version.batch.batchable && batch.mode != BatchConfig::Mode::kOff && batch.rows_max > 1;
}

std::uint32_t run_limit(const LoadedVersion& version) noexcept {
  const ModelConfig& config = config_of(version);
  if (config.batch.preserve_order) return 1;
  if (version.remote_runs == 0) return config.instances != 0 ? config.instances : version.threading.run_limit;
  return config.instances == 0 ? version.remote_runs : std::min(config.instances, version.remote_runs);
}

bool try_start_run(LoadedVersion& version) noexcept {
  std::atomic<std::uint32_t>& running = version.lane.running;
  const std::uint32_t limit = run_limit(version);
  if (limit == 0) {
    running.fetch_add(1);
    return true;
  }
  std::uint32_t now = running.load();
  while (now < limit) {
    if (running.compare_exchange_weak(now, now + 1)) return true;
  }
  return false;
}

bool SharingDecision::shares() const noexcept {
  const Why now = why();
  return now == Why::kOn || now == Why::kLearning || now == Why::kPays;
}

bool SharingDecision::decide(const LoadedVersion& version) noexcept {
  const BatchConfig& batch = config_of(version).batch;
  const auto set = [this](Why why) { why_.store(why, std::memory_order_relaxed); };
  if (!may_share(version)) {
    set(batch.mode == BatchConfig::Mode::kOff || batch.rows_max <= 1 ? Why::kOff : Why::kNotBatchable);
    return false;
  }
  if (batch.mode == BatchConfig::Mode::kOn) {
    set(Why::kOn);
    return true;
  }
  if (!version.cost.curve_known()) {
    set(Why::kLearning);
    return true;
  }
  const std::uint64_t rows = std::min(batch.rows_max, kJudgedRows);
  const auto alone = static_cast<double>(version.cost.predict(1).count());
  const double shared = static_cast<double>(version.cost.predict(rows).count()) / static_cast<double>(rows);
  const bool paid = why() != Why::kDoesNotPay;
  const bool pays = shared < (paid ? kPaysNoMoreAbove : kPaysBelow) * alone;
  set(pays ? Why::kPays : Why::kDoesNotPay);
  if (pays) return true;
  if (++since_tried_ < kTryEvery) return false;
  since_tried_ = 0;
  return true;
}

}  // namespace protean
