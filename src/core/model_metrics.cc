// SPDX-License-Identifier: Apache-2.0
// Names, helps and buckets of a version's series. docs/metrics.md explains each to operators.
#include "core/model_metrics.h"

#include "base/check.h"

namespace protean {
namespace {

using metrics::Labels;

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kS = 1000 * kMs;
/// From a small tree to a model that is read from a slow disk.
constexpr std::array<std::uint64_t, 13> kLoadBoundsNs = {1 * kMs,   5 * kMs,  10 * kMs, 50 * kMs, 100 * kMs,
                                                         500 * kMs, 1 * kS,   5 * kS,   10 * kS,  30 * kS,
                                                         60 * kS,   300 * kS, 600 * kS};
constexpr std::array<std::uint64_t, 12> kRowBounds = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096};
constexpr double kNanosecond = 1e-9;

}  // namespace

std::string_view stage_name(Stage stage) noexcept {
  constexpr std::array<std::string_view, kStageCount> kNames = {"read", "decode", "queue", "run", "encode", "write"};
  return kNames[static_cast<std::size_t>(stage)];
}

ModelMetrics::ModelMetrics(metrics::Registry& registry, std::string_view model, std::string_view version)
    : registry_(registry), model_(model), version_(version) {
  const Labels labels = {{"model", model_}, {"version", version_}};
  const auto with = [&](std::string_view name, std::string_view value) {
    Labels all = labels;
    all.emplace_back(name, value);
    return all;
  };
  const auto latency = metrics::latency_bounds_ns();
  requests = registry.counter("protean_requests", "Inference requests, failed ones included.", labels);
  for (std::size_t i = 0; i < kStageCount; ++i) {
    stages[i] = registry.histogram("protean_request_stage_duration_seconds",
                                   "Time that inference requests spent in each stage.",
                                   with("stage", stage_name(static_cast<Stage>(i))), latency, kNanosecond);
  }
  duration = registry.histogram("protean_request_duration_seconds",
                                "Time from the first byte of an inference request to its encoded answer.", labels,
                                latency, kNanosecond);
  batch_rows = registry.histogram("protean_batch_rows", "Rows in each call of the model.", labels, kRowBounds, 1);
  queue_requests = registry.gauge("protean_queue_requests", "Inference requests that wait for a run.", labels);
  constexpr std::string_view kRefusedHelp = "Inference requests refused for load, by cause.";
  refused_full = registry.counter("protean_refused_requests", kRefusedHelp, with("cause", "queue_full"));
  refused_deadline = registry.counter("protean_refused_requests", kRefusedHelp, with("cause", "deadline"));
  expired =
      registry.counter("protean_expired_requests", "Inference requests whose deadline passed before they ran.", labels);
  cancelled =
      registry.counter("protean_cancelled_requests", "Inference requests whose client left before they ran.", labels);
  request_bytes = registry.counter("protean_request_bytes", "Bytes of inference request bodies, decompressed.", labels);
  response_bytes = registry.counter("protean_response_bytes", "Bytes of inference answers, not compressed.", labels);
  constexpr std::string_view kLoadsHelp = "Attempts to load the version, by result.";
  loads_succeeded = registry.counter("protean_model_loads", kLoadsHelp, with("result", "success"));
  loads_failed = registry.counter("protean_model_loads", kLoadsHelp, with("result", "failure"));
  load_duration =
      registry.histogram("protean_model_load_duration_seconds", "Time that attempts to load the version took.", labels,
                         kLoadBoundsNs, kNanosecond);
}

metrics::Counter& ModelMetrics::failures(Code code) {
  const auto index = static_cast<std::size_t>(code);
  PROTEAN_CHECK(index < kCodeCount);
  std::call_once(failures_made_[index], [&] {
    failures_[index] =
        registry_.counter("protean_request_failures", "Inference requests answered with an error, by code.",
                          {{"model", model_}, {"version", version_}, {"code", std::string(code_name(code))}});
  });
  return *failures_[index];
}

void ModelMetrics::remove_from_registry() { registry_.remove({{"model", model_}, {"version", version_}}); }

}  // namespace protean
