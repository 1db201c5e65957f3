// SPDX-License-Identifier: Apache-2.0
// One entry a model; what is wrong is told in the words that operators of TensorFlow Serving know.
#include "protocols/tensorflow_serving/model_server_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/text.h"

namespace protean::tfserving {
namespace {

using tensorflow::serving::ModelConfig;
using Policy = tensorflow::serving::FileSystemStoragePathSourceConfig::ServableVersionPolicy;

constexpr std::string_view kPlatform = "tensorflow";
constexpr std::string_view kFileScheme = "file://";

Status check_platform(const ModelConfig& model) {
  const bool named = !model.model_platform().empty();
  if (named && model.model_type() != tensorflow::serving::MODEL_TYPE_UNSPECIFIED) {
    return fail(Code::kInvalidArgument,
                "Illegal to set both ModelServerConfig::model_type and ModelServerConfig::model_platform.");
  }
  if (!named && model.model_type() == tensorflow::serving::MODEL_TYPE_UNSPECIFIED) {
    return fail(Code::kInvalidArgument,
                "Illegal to set neither ModelServerConfig::model_type nor ModelServerConfig::model_platform.");
  }
  if ((named && model.model_platform() == kPlatform) || model.model_type() == tensorflow::serving::TENSORFLOW)
    return {};
  return fail(Code::kInvalidArgument, fmt::format("Model {} requests unsupported platform {}", printable(model.name()),
                                                  named ? printable(model.model_platform()) : "OTHER"));
}

Result<std::filesystem::path> local_path(const ModelConfig& model) {
  const std::string& path = model.base_path();
  if (path.find('\0') == std::string::npos && path.starts_with('/')) return std::filesystem::path(path);
  if (path.starts_with(kFileScheme) && path.size() > kFileScheme.size() && path[kFileScheme.size()] == '/') {
    return std::filesystem::path(path.substr(kFileScheme.size()));
  }
  if (path.find("://") != std::string::npos) {
    return fail(
        Code::kUnimplemented,
        fmt::format("model {}: base_path {}: only folders of this machine are read, expected a path that starts "
                    "with '/'; mount the storage there",
                    printable(model.name()), printable(path)));
  }
  return fail(Code::kInvalidArgument,
              fmt::format("Expected model {} to have an absolute path or URI; got base_path()={}",
                          printable(model.name()), printable(path)));
}

Result<ModelEntry> entry_of(const ModelConfig& model) {
  TRY_STATUS(check_platform(model));
  ModelEntry entry;
  entry.name = model.name();
  TRY(entry.path, local_path(model));
  TRY(entry.versions, version_policy(model.model_version_policy(), model.name()));
  auto& aliases = entry.aliases.emplace();
  for (const auto& [label, version] : model.version_labels()) {
    if (version <= 0) {
      return fail(Code::kInvalidArgument, fmt::format("model {}: label {}: version {}, expected at least 1",
                                                      printable(model.name()), printable(label), version));
    }
    aliases.emplace_back(label, static_cast<std::uint64_t>(version));
  }
  std::ranges::sort(aliases);
  return entry;
}

}  // namespace

Result<VersionPolicy> version_policy(const Policy& policy, std::string_view model) {
  VersionPolicy wanted;
  wanted.keep_previous = Duration::zero();
  wanted.choice = VersionPolicy::Choice::kLatest;
  if (policy.has_latest()) wanted.latest = std::max<std::uint32_t>(1, policy.latest().num_versions());
  if (policy.has_all()) wanted.choice = VersionPolicy::Choice::kAll;
  if (!policy.has_specific()) return wanted;
  wanted.choice = VersionPolicy::Choice::kListed;
  for (const std::int64_t version : policy.specific().versions()) {
    if (version <= 0) {
      return fail(Code::kInvalidArgument,
                  fmt::format("model {}: specific version {}, expected at least 1", printable(model), version));
    }
    wanted.listed.push_back(static_cast<std::uint64_t>(version));
  }
  return wanted;
}

Result<std::vector<ModelEntry>> model_entries(const tensorflow::serving::ModelServerConfig& config) {
  if (!config.has_model_config_list()) {
    return fail(Code::kInvalidArgument, "the configuration holds no model_config_list, and nothing else is supported");
  }
  std::vector<ModelEntry> entries;
  std::unordered_set<std::string_view> names;
  for (const auto& model : config.model_config_list().config()) {
    if (!names.insert(model.name()).second) {
      return fail(Code::kInvalidArgument,
                  fmt::format("Illegal to list model {} multiple times in config list", printable(model.name())));
    }
    TRY(auto entry, entry_of(model));
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace protean::tfserving
