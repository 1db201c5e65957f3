// SPDX-License-Identifier: Apache-2.0
// What a model's own bytes say and ONNX Runtime's interface does not: versions for messages, whether a shape
// was given at all, and the class labels of ZipMap outputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace protean {

/// An input or output of the graph. `has_shape`: a rank is given (ONNX Runtime shows none as a scalar).
/// `fixed`: every dimension is a number.
struct ValueFacts {
  std::string name;
  bool has_shape = false;
  bool fixed = false;
};

/// An output made by a ZipMap node: a map from label to score for each row, where the node's own input
/// already is the tensor of scores, [rows, labels] in the order of the labels.
struct LabelledOutput {
  std::string name;
  std::string scores;  // the ZipMap's input
  std::string labels;  // JSON: `["setosa","virginica"]` or `[0,1,2]`
  std::int64_t label_count = 0;
  std::size_t node_begin = 0;  // place of the node's tag in the file
};

struct OpsetFacts {
  std::string domain;  // "" is ai.onnx
  std::uint64_t version = 0;
};

struct ModelFacts {
  std::uint64_t ir_version = 0;
  std::vector<OpsetFacts> opsets;
  std::vector<ValueFacts> inputs;
  std::vector<ValueFacts> outputs;
  std::vector<LabelledOutput> labelled;

  /// nullptr when there is none.
  [[nodiscard]] const ValueFacts* find_input(std::string_view name) const noexcept;
  [[nodiscard]] const ValueFacts* find_output(std::string_view name) const noexcept;
  [[nodiscard]] const LabelledOutput* find_labelled(std::string_view name) const noexcept;
};

/// `file`: a whole ONNX file.
/// Errors: kInvalidArgument for a file that is empty, cut off, or lacks its version, graph or operator sets.
[[nodiscard]] Result<ModelFacts> read_model_facts(std::string_view file);

}  // namespace protean
