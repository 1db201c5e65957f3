// SPDX-License-Identifier: Apache-2.0
// Model configurations of TensorFlow Serving as models to serve: HandleReloadConfigRequest, and configuration files.
#pragma once

#include <vector>

#include "base/result.h"
#include "core/model_entry.h"
#include "core/operation.h"

namespace tensorflow::serving {
class ModelServerConfig;
}  // namespace tensorflow::serving

namespace protean::tfserving {

/// One entry a model, in order. What is not said has the original's defaults: the latest version, no labels.
/// Errors: kInvalidArgument, kFailedPrecondition and kUnimplemented in the original's words; what this server cannot do
/// is refused by name.  Thread-safe, as all here.
[[nodiscard]] Result<std::vector<ModelEntry>> model_entries(const tensorflow::serving::ModelServerConfig& config);

/// A ReloadConfigRequest.  Errors: as above, and kInternal where the wire format is broken.
[[nodiscard]] Result<ReplaceModels> decode_reload(const Slice& body);
/// The ReloadConfigResponse of a reload that went well.
[[nodiscard]] std::string write_reload();

}  // namespace protean::tfserving
