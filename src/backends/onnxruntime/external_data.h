// SPDX-License-Identifier: Apache-2.0
// Tensors whose bytes stand in another file. What they ask for is worked out here with arithmetic that
// cannot overflow; whether they may have it is model_file.h's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace protean {

/// `bytes` from `offset` of the file at `location`, as the model asks for them.
struct ExternalTensor {
  std::string name;
  std::string location;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  /// Places of the fields that say so, to be taken out when the bytes are put in.
  struct Cut {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  std::vector<Cut> cuts;
};

/// What the TensorProto in [begin, end) of `file` asks for; nullopt when its bytes are in the model.
/// Errors: kInvalidArgument for a broken tensor, an offset or length that is no number, a length other than
/// type and shape ask for, a type without a fixed size.
/// Source: ONNX "External Data" (https://github.com/onnx/onnx/blob/main/docs/ExternalData.md).
[[nodiscard]] Result<std::optional<ExternalTensor>> read_external_tensor(std::string_view file, std::size_t begin,
                                                                         std::size_t end);

}  // namespace protean
