// SPDX-License-Identifier: Apache-2.0
// One line a dialect. A new protocol is a folder and a line here; the hottest come first.
#include "server/builtin_protocols.h"

#include "monitoring/metrics_page.h"
#include "protocols/documentation/protocol.h"
#include "protocols/grpc_standard/protocol.h"
#include "protocols/open_inference/protocol.h"

namespace protean {

std::vector<std::unique_ptr<Protocol>> make_builtin_protocols(const ProtocolOptions& options,
                                                              metrics::Registry& registry) {
  OpenInferenceOptions open_inference;
  open_inference.json_depth_max = options.json_depth_max;
  std::vector<std::unique_ptr<Protocol>> protocols;
  protocols.push_back(make_open_inference(std::move(open_inference)));
  protocols.push_back(make_grpc_standard());
  protocols.push_back(make_metrics_page(registry));
  protocols.push_back(make_documentation());
  return protocols;
}

}  // namespace protean
