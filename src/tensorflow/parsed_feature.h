// SPDX-License-Identifier: Apache-2.0
// What a graph reads out of Examples with ParseExample. ONNX has no such operation: the lowered model takes what was
// read, and who runs it reads the Examples (example_decoder.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/tensor.h"
#include "tensorflow/literal.h"

namespace protean {

/// One feature. `input`: of the signature, texts of which each is a serialized tensorflow.Example.  `tensor`: the input
/// of the ONNX model that takes the values; one that nothing uses has been left out there.
/// `shape`: of one Example's values, without free dimensions.  `dtype`: DT_FLOAT, DT_INT64 or DT_STRING.
/// `single`: the input is one Example, a scalar; else a vector of them.
/// `otherwise`: of type and shape, for Examples without the feature; nullopt: they are refused.
struct ParsedFeature {
  std::string input;
  std::string tensor;
  std::string key;
  tensorflow::DataType dtype = tensorflow::DT_INVALID;
  Shape shape;
  std::optional<Literal> otherwise = std::nullopt;
  bool single = false;
};

/// As bytes, for a file beside the ONNX model: a tensorflow.GraphDef with a node for each feature.
[[nodiscard]] std::string write_features(const std::vector<ParsedFeature>& features);
/// Errors: kInvalidArgument for what write_features() did not write.
[[nodiscard]] Result<std::vector<ParsedFeature>> read_features(std::string_view bytes);

/// The type here of a feature's values; nullopt for types that features do not have.
[[nodiscard]] std::optional<DataType> feature_type(tensorflow::DataType dtype) noexcept;

}  // namespace protean
