// SPDX-License-Identifier: Apache-2.0
// tensorflow.serving.ModelSpec: which version and function of which model a gRPC call means.
#pragma once

#include <protozero/data_view.hpp>

#include <cstdint>
#include <optional>
#include <string>

#include "core/inference.h"
#include "protocols/tensorflow_serving/errors.h"

namespace protean::tfserving {

/// At most one of `version` and `label` is set.
struct ModelSpec {
  std::string name;
  std::optional<std::int64_t> version;
  std::optional<std::string> label;
  std::string signature;
};

/// Reads the fields over what is in `spec` already.  Throws protozero::exception.
/// Errors: kInternal for text that is no UTF-8.
[[nodiscard]] Status read_model_spec(protozero::data_view message, ModelSpec& spec);

/// That it is there and names a model.  Errors: kInvalidArgument.
[[nodiscard]] Status check_model_spec(const std::optional<ModelSpec>& spec);

/// `label` for the version of an operation: one that looks like a number must not be taken for one.
[[nodiscard]] std::string version_of_label(const std::string& label);

/// The spec as an operation's model, version and function; the latter is never empty.
void set_model(InferRequest& request, const ModelSpec& spec);
[[nodiscard]] std::string version_text(const ModelSpec& spec);
[[nodiscard]] Asked asked_for(const ModelSpec& spec);

/// The message that replies carry: `version` as digits.
[[nodiscard]] std::string write_model_spec(const std::string& name, const std::string& version,
                                           const std::string& signature);

}  // namespace protean::tfserving
