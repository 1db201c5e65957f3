// SPDX-License-Identifier: Apache-2.0
// What may be configured about a TensorFlow SavedModel.
#pragma once

#include <string>
#include <vector>

namespace protean {

/// What runs a SavedModel.  kAuto: TensorFlow's own library where one is found, else ONNX Runtime after lowering;
/// kTensorflow, kOnnx: that one, or the model does not load.
enum class TensorflowEngine : unsigned char { kAuto, kTensorflow, kOnnx };

/// `tags`: of the meta graph to serve; all must be there.
struct TensorflowConfig {
  TensorflowEngine engine = TensorflowEngine::kAuto;
  std::vector<std::string> tags = {"serve"};
  friend bool operator==(const TensorflowConfig&, const TensorflowConfig&) = default;
};

}  // namespace protean
