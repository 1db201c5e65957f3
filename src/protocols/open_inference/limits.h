// SPDX-License-Identifier: Apache-2.0
// Bounds and rules that hold for inference requests in JSON and in protobuf alike.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/inference.h"

namespace protean {

/// Dimensions that a tensor from outside may have.
inline constexpr std::size_t kRankMax = 64;

/// As in OpenInferenceOptions.
struct RequestLimits {
  std::size_t json_depth_max = 64;
  std::size_t tensors_max = 1024;
  std::size_t parameters_max = 256;
};

/// Where a message says the fault is; spelled out only when there is one.
struct Place {
  std::string_view list;  // `inputs`, `outputs`; empty for the request itself
  std::size_t index = 0;
  std::string_view name;  // of the tensor, once it is known

  /// `inputs[1] 'x'`, or with a member `inputs[1] 'x'.shape`; of the request itself only `member`.
  [[nodiscard]] std::string text(std::string_view member = {}) const;
};

/// Refuses what would change the meaning of the answer if it were passed over: shared memory and classification.
/// Errors: kUnimplemented.
[[nodiscard]] Status check_supported(const InferRequest& request);

/// Parameters of load and unload calls: `unload_dependents` changes nothing here and is accepted, others would
/// change what is loaded.  Errors: kUnimplemented.
[[nodiscard]] Status check_repository_parameter(std::string_view name);

/// Element count of a shape from outside whose data lies in `bytes` bytes of text or wire format: no element takes
/// less than one byte, so a larger shape is refused before memory is set aside.
/// Errors: kInvalidArgument.
[[nodiscard]] Result<std::size_t> count_within(const Shape& shape, std::size_t bytes, const Place& place);

/// HTTP status of an error code; the one table of this dialect.
[[nodiscard]] int http_status(Code code) noexcept;

}  // namespace protean
