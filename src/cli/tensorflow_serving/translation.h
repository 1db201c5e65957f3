// SPDX-License-Identifier: Apache-2.0
// TensorFlow Serving's flags and files as options of ours.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/tensorflow_serving/findings.h"
#include "cli/tensorflow_serving/model_server_flags.h"

namespace protean {

/// PEM texts.  `client_ca`: empty: clients need no certificate.
struct InlineTls {
  std::string key;
  std::string certificate;
  std::string client_ca;
};

/// `options`: with `served`, `listen` and `tfserving` set; its paths of TLS files are not.
/// `entry_defaults`: what holds for models that are named later.  `per_model_batching`: versions may bring
/// batching_params.pbtxt.  `config_file`: empty: one model by flags.
struct Translation {
  ServeOptions options;
  ModelEntry entry_defaults;
  std::optional<InlineTls> tls;  // of the gRPC listener
  bool per_model_batching = false;
  std::filesystem::path config_file;
  std::vector<Finding> findings;
};

/// Reads the files that the flags name.  `environment`: MODEL_NAME, MODEL_BASE_PATH and the variables of `serve`.
/// Errors: kInvalidArgument, in TensorFlow Serving's words where it has some; those of reading files.
[[nodiscard]] Result<Translation> translate_model_server(ModelServerFlags flags, const Environment& environment);

/// The models of a file for --model_config_file, and what became of its fields.
[[nodiscard]] Result<std::vector<ModelEntry>> read_model_config_list(const std::filesystem::path& file,
                                                                     std::vector<Finding>& findings);

/// What the newest version's batching_params.pbtxt says, if there is one; `files`: the model's folder.
/// Errors: of a file that cannot be read.
[[nodiscard]] Result<std::optional<BatchConfig>> read_model_batching(const std::filesystem::path& files,
                                                                     std::vector<Finding>& findings);

}  // namespace protean
