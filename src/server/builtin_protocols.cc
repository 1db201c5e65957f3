// SPDX-License-Identifier: Apache-2.0
// One line a dialect. A new protocol is a folder and a line here; the hottest come first.
#include "server/builtin_protocols.h"

#include "monitoring/metrics_page.h"
#include "protocols/admin/protocol.h"
#include "protocols/documentation/protocol.h"
#include "protocols/grpc_standard/protocol.h"
#include "protocols/open_inference/protocol.h"

namespace protean {

ProtocolSets make_builtin_protocols(const ProtocolOptions& options, metrics::Registry& registry) {
  OpenInferenceOptions open_inference;
  open_inference.json_depth_max = options.json_depth_max;
  const std::shared_ptr<const Protocol> metrics_page = make_metrics_page(registry);
  ProtocolSets sets;
  sets[static_cast<std::size_t>(Dialect::kDefault)] = {make_open_inference(std::move(open_inference)),
                                                       make_grpc_standard(), metrics_page, make_documentation()};
  sets[static_cast<std::size_t>(Dialect::kAdmin)] = {make_admin(), metrics_page};
  return sets;
}

}  // namespace protean
