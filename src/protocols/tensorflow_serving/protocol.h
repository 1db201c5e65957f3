// SPDX-License-Identifier: Apache-2.0
// TensorFlow Serving's protocol as a Protocol: REST below /v1/models, and the gRPC services
// tensorflow.serving.PredictionService and ModelService. docs/protocols/tensorflow_serving.md says what differs.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "core/protocol.h"
#include "core/recorded_call.h"

namespace protean {

namespace tfserving {
class ServingMetrics;
}

/// `json_depth_max`: lists and objects inside each other, the body's own object counted; clamped to [8, 512].
/// `cors`: every REST reply allows any origin.  `rest_timeout`: how long a REST request may take; zero: for ever.
/// `tensor_content`: gRPC replies carry tensors as tensor_content instead of typed lists.
/// `check_method_names`: classify and regress refuse functions that are declared as something else.
/// `metrics_path`: where the original's metrics are shown; empty: nowhere.
struct TensorflowServingOptions {
  std::size_t json_depth_max = 64;
  bool cors = false;
  std::chrono::milliseconds rest_timeout{30'000};
  bool tensor_content = false;
  bool check_method_names = false;
  std::string metrics_path = {};
};

/// Where the original's metrics are found by default once they are enabled.
inline constexpr std::string_view kTensorflowServingMetricsPath = "/monitoring/prometheus/metrics";

/// The original's metrics, kept by all that is given them.  Thread-safe.
[[nodiscard]] std::shared_ptr<tfserving::ServingMetrics> make_tensorflow_serving_metrics();

/// Never null.  Constant after construction but for `metrics` (null: none are kept), which are thread-safe.
/// On a listener of its own dialect it answers whatever is below /v1/, elsewhere only /v1/models.
[[nodiscard]] std::unique_ptr<Protocol> make_tensorflow_serving(
    TensorflowServingOptions options = {}, std::shared_ptr<tfserving::ServingMetrics> metrics = {});

/// Warm-up requests as the original keeps them: `assets.extra/tf_serving_warmup_requests` in a version's folder, at
/// most 1000 of them.  `metrics`: null: none are kept.
[[nodiscard]] RecordedCallReader make_tensorflow_serving_recordings(TensorflowServingOptions options,
                                                                    std::shared_ptr<tfserving::ServingMetrics> metrics);

/// The last protocol of a listener of that dialect: HTTP paths that nobody serves get the original's page.
[[nodiscard]] std::unique_ptr<Protocol> make_tensorflow_serving_not_found();

}  // namespace protean
