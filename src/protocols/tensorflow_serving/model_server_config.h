// SPDX-License-Identifier: Apache-2.0
// The models that a ModelServerConfig names, as a file (--model_config_file) or a call (HandleReloadConfigRequest)
// says.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "core/model_entry.h"
#include "proto/tensorflow_serving_config.pb.h"

namespace protean::tfserving {

/// In the order listed. Versions that a policy does not choose any more are unloaded at once, as the original does.
/// Errors, in TensorFlow Serving's words: kInvalidArgument for anything but a list of models, a name listed twice, a
/// base path that is neither absolute nor a URI, another platform; kUnimplemented for URIs of remote storage.
[[nodiscard]] Result<std::vector<ModelEntry>> model_entries(const tensorflow::serving::ModelServerConfig& config);

/// Of a policy that chooses nothing: the newest version.  Errors: kInvalidArgument for versions below 1.
[[nodiscard]] Result<VersionPolicy> version_policy(
    const tensorflow::serving::FileSystemStoragePathSourceConfig::ServableVersionPolicy& policy,
    std::string_view model);

}  // namespace protean::tfserving
