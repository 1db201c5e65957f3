// SPDX-License-Identifier: Apache-2.0
// One line a dialect. A new protocol is a folder and a line here; the hottest come first.
#include "server/builtin_protocols.h"

#include "monitoring/metrics_page.h"
#include "protocols/admin/protocol.h"
#include "protocols/documentation/protocol.h"
#include "protocols/grpc_standard/protocol.h"
#include "protocols/open_inference/protocol.h"
#include "protocols/tensorflow_serving/protocol.h"

namespace protean {

BuiltinProtocols make_builtin_protocols(const ProtocolOptions& options, metrics::Registry& registry) {
  OpenInferenceOptions open_inference_options;
  open_inference_options.json_depth_max = options.json_depth_max;
  TensorflowServingOptions tensorflow_serving_options = options.tensorflow_serving;
  tensorflow_serving_options.json_depth_max = options.json_depth_max;
  const std::shared_ptr<const Protocol> open_inference = make_open_inference(std::move(open_inference_options));
  const auto tensorflow_serving_metrics =
      tensorflow_serving_options.metrics_path.empty() ? nullptr : make_tensorflow_serving_metrics();
  const std::shared_ptr<const Protocol> tensorflow_serving =
      make_tensorflow_serving(tensorflow_serving_options, tensorflow_serving_metrics);
  const std::shared_ptr<const Protocol> grpc_standard = make_grpc_standard();
  const std::shared_ptr<const Protocol> metrics_page = make_metrics_page(registry);
  BuiltinProtocols all;
  auto& sets = all.sets;
  sets[static_cast<std::size_t>(Dialect::kDefault)] = {open_inference, tensorflow_serving, grpc_standard, metrics_page,
                                                       make_documentation()};
  sets[static_cast<std::size_t>(Dialect::kAdmin)] = {make_admin(), metrics_page};
  sets[static_cast<std::size_t>(Dialect::kTensorflowServing)] = {tensorflow_serving, open_inference, grpc_standard,
                                                                 make_tensorflow_serving_not_found()};
  all.recordings = make_tensorflow_serving_recordings(tensorflow_serving_options, tensorflow_serving_metrics);
  return all;
}

}  // namespace protean
