// SPDX-License-Identifier: Apache-2.0
// What a .tflite file says about its main subgraph: the tensors that go in and out, and the names that signatures give
// them. The library tells neither the names of signatures nor which dimensions are open.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/tensor.h"

namespace protean {

/// `name`: of the signature where there is one, else the tensor's own.  `shape`: -1 where any size goes.
/// `type`: number of tflite.TensorType.  `place`: among the inputs, or outputs, of the subgraph.
struct LiteTensorFacts {
  std::string name;
  int type = 0;
  Shape shape;
  std::int32_t place = 0;
};

/// `signature`: empty when the file has none for its main subgraph.  `notes`: signatures that cannot be reached.
/// `dense_by_channel`: a dense layer's weights are quantised with a scale a channel, which older libraries do not look
/// at: they answer wrong numbers without a word.
struct LiteFacts {
  std::string signature;
  std::vector<LiteTensorFacts> inputs;
  std::vector<LiteTensorFacts> outputs;
  std::vector<std::string> notes;
  bool dense_by_channel = false;
};

/// Whether it starts as a TensorFlow Lite file does: "TFL3" at byte 4.
[[nodiscard]] bool looks_like_lite_model(std::string_view head) noexcept;

/// Of all bytes of a file. Errors: kInvalidArgument when it is broken.  Thread-safe.
/// Source: TensorFlow Lite's schema (schema.fbs), version 3.
[[nodiscard]] Result<LiteFacts> read_lite_facts(std::string_view file);

}  // namespace protean
