// SPDX-License-Identifier: Apache-2.0
// The Open Inference Protocol v2 as a Protocol: REST below /v2 and the gRPC service inference.GRPCInferenceService.
// docs/protocols/open_inference.md says what is done where the products that speak it differ.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "core/protocol.h"

namespace protean {

/// `server_name`, `server_version`: told when the outcome of ServerMetadata leaves them empty.
/// `json_depth_max`: arrays and objects inside each other, the body's own object counted; clamped to [8, 512].
/// `tensors_max`: inputs, and requested outputs, of one request.
/// `parameters_max`: members of one `parameters` object; at most this many, for they are searched one by one.
struct OpenInferenceOptions {
  std::string server_name = "protean";
  std::string server_version = PROTEAN_VERSION;
  std::size_t json_depth_max = 64;
  std::size_t tensors_max = 1024;
  std::size_t parameters_max = 256;
};

/// Never null.  The protocol is constant after construction.
[[nodiscard]] std::unique_ptr<Protocol> make_open_inference(OpenInferenceOptions options = {});

}  // namespace protean
