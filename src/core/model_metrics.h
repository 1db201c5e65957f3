// SPDX-License-Identifier: Apache-2.0
// What is counted about one version of one model. Made when the version loads, so that a request adds to
// counters it holds pointers to and never looks a label up.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "base/result.h"

namespace protean {

/// The stations of a request, in order; `protean_request_stage_duration_seconds` has one label value each.
///   read: first byte of the head to the last byte of the body; decode: bytes to tensors; queue: waiting for
///   a thread; run: in the backend; encode: tensors to bytes; write: until the last byte left for the kernel.
enum class Stage : unsigned char { kRead, kDecode, kQueue, kRun, kEncode, kWrite };
inline constexpr std::size_t kStageCount = 6;

/// `read` and so on.
[[nodiscard]] std::string_view stage_name(Stage stage) noexcept;

/// Counters of (model, version).  Thread-safe; the registry outlives it. Members are never null.
class ModelMetrics {
 public:
  ModelMetrics(metrics::Registry& registry, std::string_view model, std::string_view version);

  /// Failures with this code; the counter appears in the registry at the first call.
  [[nodiscard]] metrics::Counter& failures(Code code);
  [[nodiscard]] metrics::Histogram& stage(Stage stage) const noexcept {
    return *stages[static_cast<std::size_t>(stage)];
  }
  /// Forgets this version's series: call when it is gone for good, not when it is replaced.
  void remove_from_registry();

  std::shared_ptr<metrics::Counter> requests;                           // inference requests, failed ones included
  std::array<std::shared_ptr<metrics::Histogram>, kStageCount> stages;  // nanoseconds
  std::shared_ptr<metrics::Histogram> duration;                         // nanoseconds, read to encode
  std::shared_ptr<metrics::Histogram> batch_rows;                       // rows of one run
  std::shared_ptr<metrics::Gauge> queue_requests;                       // waiting for a run
  std::shared_ptr<metrics::Counter> refused_full;                       // the queue was full
  std::shared_ptr<metrics::Counter> refused_deadline;                   // the answer would have come too late
  std::shared_ptr<metrics::Counter> expired;                            // deadline passed while waiting
  std::shared_ptr<metrics::Counter> cancelled;                          // the client left while waiting
  std::shared_ptr<metrics::Counter> request_bytes;
  std::shared_ptr<metrics::Counter> response_bytes;
  std::shared_ptr<metrics::Counter> loads_succeeded;
  std::shared_ptr<metrics::Counter> loads_failed;
  std::shared_ptr<metrics::Histogram> load_duration;  // nanoseconds, failed loads included

 private:
  static constexpr std::size_t kCodeCount = 17;  // the numbers of Code, 0 unused

  metrics::Registry& registry_;
  const std::string model_;
  const std::string version_;
  std::array<std::once_flag, kCodeCount> failures_made_;
  std::array<std::shared_ptr<metrics::Counter>, kCodeCount> failures_;  // each written once, under its flag
};

}  // namespace protean
