// SPDX-License-Identifier: Apache-2.0
// Element types of ONNX Runtime and ours: one table.
#pragma once

#define ORT_API_MANUAL_INIT
#include <onnxruntime_c_api.h>

#include <optional>
#include <string>

#include "core/data_type.h"

namespace protean {

/// nullopt for those that no protocol here can carry (complex, 8-bit and smaller floats, 4-bit integers).
[[nodiscard]] std::optional<DataType> from_onnx(ONNXTensorElementDataType type) noexcept;
[[nodiscard]] ONNXTensorElementDataType to_onnx(DataType type) noexcept;

/// `float8e4m3fn` and so on, for messages; `element type 31` for what is newer than this table.
[[nodiscard]] std::string onnx_type_name(ONNXTensorElementDataType type);

}  // namespace protean
