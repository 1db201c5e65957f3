// SPDX-License-Identifier: Apache-2.0
// A model that is named by configuration instead of lying in the model folder under its own name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/model_config.h"

namespace protean {

/// `path`: its folder, with a folder for each version, wherever that is; or its single file.
/// `versions`, `retries`, `warm_up`, `batch`, `tensorflow`: in place of what the model's own protean.toml says;
/// nullopt: that holds. `aliases`: (name, version), in place of those set before; nullopt: those stay.
struct ModelEntry {
  std::string name;
  std::filesystem::path path;
  std::optional<VersionPolicy> versions = {};
  std::optional<LoadRetries> retries = {};
  std::optional<WarmUpConfig> warm_up = {};
  std::optional<BatchConfig> batch = {};
  std::optional<TensorflowConfig> tensorflow = {};
  std::optional<std::vector<std::pair<std::string, std::uint64_t>>> aliases = {};
  friend bool operator==(const ModelEntry&, const ModelEntry&) = default;
};

}  // namespace protean
