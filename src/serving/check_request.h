// SPDX-License-Identifier: Apache-2.0
// Holds a request against a model's signature, once for all dialects, and puts its tensors in the order the
// model wants them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/inference.h"
#include "core/model.h"

namespace protean {

/// Points into the request, which must outlive it.  `rows`: size of the first input's first dimension (1 for
/// a scalar).  `usual_shapes`: all inputs have shapes as the signature declares them (TensorSpec::any_shape).
struct CheckedRequest {
  std::vector<const Tensor*> inputs;
  std::vector<std::size_t> outputs;
  std::uint64_t input_bytes = 0;
  std::uint64_t rows = 1;
  bool usual_shapes = true;
};

/// The outputs that a request gets which names none, as indices: all that are not TensorSpec::on_request.
[[nodiscard]] std::vector<std::size_t> usual_outputs(const Signature& signature);

/// `label`: `model iris, version 3`, for messages.
/// Errors: kInvalidArgument - unknown, repeated or missing inputs, unknown or repeated outputs, wrong type,
/// shape or size of data; the message says which input, what was found and what was expected.
[[nodiscard]] Result<CheckedRequest> check_request(const InferRequest& request, const Signature& signature,
                                                   std::string_view label);

}  // namespace protean
