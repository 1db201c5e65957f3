// SPDX-License-Identifier: Apache-2.0
// Source: section 9 of the description of TensorFlow Serving's protocol.
#include "protocols/tensorflow_serving/reload.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "proto/tensorflow_serving.pb.h"

namespace protean::tfserving {
namespace {

namespace serving = tensorflow::serving;
constexpr std::string_view kPlatform = "tensorflow";

Status check_platform(const serving::ModelConfig& config) {
  const bool typed = config.model_type() != serving::MODEL_TYPE_UNSPECIFIED;
  if (typed && !config.model_platform().empty()) {
    return fail(
        Code::kInvalidArgument,
        "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform.");
  }
  if (config.model_type() == serving::OTHER) {
    return fail(Code::kUnimplemented, "ModelServerConfig::model_type OTHER is not supported.");
  }
  if (!typed && config.model_platform().empty()) {
    return fail(Code::kInvalidArgument,
                "Illegal setting neither ModelServerConfig::model_type nor ModelServerConfig::model_platform.");
  }
  if (typed || config.model_platform() == kPlatform) return {};
  return fail(Code::kInvalidArgument,
              fmt::format("Model {} requests unsupported platform {}", config.name(), config.model_platform()));
}

/// `scheme://`, as the original tells URIs from paths.
bool is_uri(const std::string& path) {
  const std::size_t colon = path.find("://");
  return colon != std::string::npos && colon > 0 && path.find('/') > colon;
}

Result<std::filesystem::path> base_path(const serving::ModelConfig& config) {
  const std::string& path = config.base_path();
  if (path.starts_with("/")) return std::filesystem::path(path);
  if (!is_uri(path)) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("Expected model {} to have an absolute path or URI; got base_path()={}", config.name(), path));
  }
  constexpr std::string_view kFile = "file://";
  if (path.starts_with(std::string(kFile) + "/")) return std::filesystem::path(path.substr(kFile.size()));
  return fail(Code::kInvalidArgument,
              fmt::format("model {}: base_path {}: expected a path of this machine", config.name(), path));
}

Result<std::uint64_t> version_number(const serving::ModelConfig& config, std::int64_t version) {
  if (version > 0) return static_cast<std::uint64_t>(version);
  return fail(Code::kInvalidArgument,
              fmt::format("model {}: version {}: expected a number above 0", config.name(), version));
}

Result<VersionPolicy> version_policy(const serving::ModelConfig& config) {
  const auto& asked = config.model_version_policy();
  VersionPolicy policy;
  policy.choice = VersionPolicy::Choice::kLatest;
  policy.keep_previous = Duration::zero();
  if (asked.has_all()) {
    policy.choice = VersionPolicy::Choice::kAll;
  } else if (asked.has_specific()) {
    policy.choice = VersionPolicy::Choice::kListed;
    for (const std::int64_t version : asked.specific().versions()) {
      TRY(const std::uint64_t number, version_number(config, version));
      policy.listed.push_back(number);
    }
  } else {
    policy.latest = std::max(asked.latest().num_versions(), 1U);
  }
  return policy;
}

Result<ModelEntry> model_entry(const serving::ModelConfig& config) {
  ModelEntry entry;
  entry.name = config.name();
  TRY(entry.path, base_path(config));
  TRY_STATUS(check_platform(config));
  if (config.has_logging_config()) {
    return fail(Code::kFailedPrecondition, "No request-logger-creator provided.");
  }
  TRY(entry.versions, version_policy(config));
  entry.aliases.emplace();
  for (const auto& [label, version] : config.version_labels()) {
    if (version <= 0) {
      return fail(Code::kFailedPrecondition,
                  fmt::format("Request to assign label to version {} of model {}, which is not currently available for "
                              "inference",
                              version, config.name()));
    }
    entry.aliases->emplace_back(label, static_cast<std::uint64_t>(version));
  }
  std::ranges::sort(*entry.aliases);
  return entry;
}

}  // namespace

Result<std::vector<ModelEntry>> model_entries(const serving::ModelServerConfig& config) {
  if (!config.has_model_config_list()) {
    return fail(Code::kInvalidArgument,
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
                "supported");
  }
  std::vector<ModelEntry> entries;
  std::set<std::string_view> names;
  for (const auto& one : config.model_config_list().config()) {
    if (!names.insert(one.name()).second) {
      return fail(Code::kInvalidArgument,
                  fmt::format("Illegal to list model {} multiple times in config list", one.name()));
    }
  }
  for (const auto& one : config.model_config_list().config()) {
    TRY(ModelEntry entry, model_entry(one));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<ReplaceModels> decode_reload(const Slice& body) {
  serving::ReloadConfigRequest request;
  const bool fits = body.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
  if (!fits || !request.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return fail(Code::kInternal, "malformed ReloadConfigRequest");
  }
  ReplaceModels replace;
  TRY(replace.models, model_entries(request.config()));
  return replace;
}

std::string write_reload() {
  serving::ReloadConfigResponse response;
  response.mutable_status();
  return response.SerializeAsString();
}

}  // namespace protean::tfserving
