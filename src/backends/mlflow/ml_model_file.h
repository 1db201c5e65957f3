// SPDX-License-Identifier: Apache-2.0
// What an MLmodel file says: which flavors there are and where their files lie, the signature, the input example.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "backends/mlflow/schema.h"
#include "base/result.h"

namespace protean {

/// `file`: the flavor's own file or folder, relative to the model's folder; empty where it has none.
struct Flavor {
  std::string name;
  std::string file;
};

/// `example_file`: relative; empty without an example.  `example_type`: `dataframe`, `ndarray`, `json_object`...
struct MlModelFile {
  std::string mlflow_version;
  std::vector<Flavor> flavors;
  Schema schema;
  std::string example_file;
  std::string example_type;
};

/// Larger files are refused.
inline constexpr std::size_t kMlModelBytesMax = 1 << 20;

/// Errors: kInvalidArgument `MLmodel: ...`.  Thread-safe, as all functions here.
/// Source: mlflow.models.Model.to_yaml (MLflow 1.x to 3.17).
[[nodiscard]] Result<MlModelFile> parse_ml_model(std::string_view text);

/// At most `bytes_max` bytes of a regular file; a symbolic link that leads out of `folder` is refused.
/// Errors: kNotFound, kInvalidArgument (no regular file, too large, outside), kUnavailable.
[[nodiscard]] Result<std::string> read_text(const std::filesystem::path& folder, const std::string& file,
                                            std::size_t bytes_max);

/// The path of `file` within `folder`.
/// Errors: kInvalidArgument when it is absolute, leads out of the folder, or does not exist.
[[nodiscard]] Result<std::filesystem::path> inner_path(const std::filesystem::path& folder, const std::string& file);

}  // namespace protean
