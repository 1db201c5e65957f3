// SPDX-License-Identifier: Apache-2.0
// Status and metadata of models, as messages for gRPC and as JSON for REST.
// Source: section 6 of the description of TensorFlow Serving's protocol.
#pragma once

#include <string>
#include <vector>

#include "core/operation.h"
#include "protocols/tensorflow_serving/model_spec.h"

namespace protean::tfserving {

/// The spec of a GetModelStatusRequest or GetModelMetadataRequest, checked.
/// Errors: kInvalidArgument, also for metadata of another kind than `signature_def`; kInternal where the wire format is
/// broken.  Thread-safe, as all here.
[[nodiscard]] Result<ModelSpec> decode_status_request(const Slice& body);
[[nodiscard]] Result<ModelSpec> decode_metadata_request(const Slice& body);

/// GetModelStatusResponse, versions descending. Versions that nobody asked to load are not told, as in the original.
/// Errors: kNotFound when there are no others.
[[nodiscard]] Result<std::string> write_status(const std::vector<VersionStatus>& versions);
[[nodiscard]] Result<std::string> write_json_status(const std::vector<VersionStatus>& versions);

/// GetModelMetadataResponse with the signatures of all functions.  Errors: kInternal for a declaration that is no
/// SignatureDef.
[[nodiscard]] Result<std::string> write_metadata(const ModelInfo& info);
[[nodiscard]] Result<std::string> write_json_metadata(const ModelInfo& info);

/// `Could not find any versions of model m`, or of the version asked for.
[[nodiscard]] Error status_error(Error error, const Asked& asked);

}  // namespace protean::tfserving
