// SPDX-License-Identifier: Apache-2.0
// A model's own configuration: `NAME/protean.toml` in a model's folder, `NAME.toml` beside a single `NAME.onnx`.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "configuration/toml_file.h"
#include "core/model_config.h"

namespace protean {

/// Where the configuration of the model at `files` (its folder, or its single file) stands, whether it exists or not.
[[nodiscard]] std::filesystem::path model_config_path(const std::filesystem::path& files);

/// `files`: the model's folder or single file.  `model`: for messages. Without a file the defaults hold. The file
/// itself may not be a symbolic link, and is read once, at most kTomlBytesMax bytes of it.
/// Errors: kInvalidArgument `PATH:LINE: KEY: found ..., expected ... (model iris)`, also for unknown keys with the
/// nearest one; kPermissionDenied, kResourceExhausted, kUnavailable when it cannot be read.  Thread-safe.
/// `defaults`: what holds for keys that the file does not set.
[[nodiscard]] Result<ModelConfig> read_model_config(const std::filesystem::path& files, std::string_view model,
                                                    const ModelConfig& defaults = {});

/// The same for text. `name`: for messages.
[[nodiscard]] Result<ModelConfig> parse_model_config(std::string_view text, const std::filesystem::path& name);

/// The same for a table of another file.
[[nodiscard]] Result<ModelConfig> read_model_tables(const TomlTable& table, const std::filesystem::path& name);

/// What differs from the defaults, as a file that parse_model_config() reads back to the same; empty for the defaults.
[[nodiscard]] std::string format_model_config(const ModelConfig& config);

/// Gives the keys named (`batch.rows_max`, `instances`) in the model's file the values they have in `wanted`, and keeps
/// the others. The file is written anew: its comments are lost. It is replaced in one step that survives the machine
/// (temporary file, fsync, rename); readers see the old file or the new one.
/// Errors: kNotFound for a key that does not exist, kInvalidArgument when the present file or the new values are wrong,
/// kResourceExhausted (disk full), kUnavailable or kPermissionDenied when it cannot be written. The file is then as it
/// was.  Not meant for two writers at once: the later one wins.
[[nodiscard]] Status set_model_config(const std::filesystem::path& files, std::string_view model,
                                      const ModelConfig& wanted, std::span<const std::string_view> keys);

}  // namespace protean
