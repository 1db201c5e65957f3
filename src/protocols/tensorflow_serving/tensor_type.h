// SPDX-License-Identifier: Apache-2.0
// Element types as TensorFlow numbers and names them, from and to ours.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/data_type.h"

namespace protean::tfserving {

/// The number of a tensorflow.DataType: 1 for FP32.
[[nodiscard]] std::int32_t tensor_type_number(DataType type) noexcept;

/// nullopt for types that no tensor here can have (resource, complex, quantised).
[[nodiscard]] std::optional<DataType> parse_tensor_type(std::int32_t number) noexcept;

/// `float`, `double`, `int32`, ...: as TensorFlow's messages name types.
[[nodiscard]] std::string_view tensor_type_name(DataType type) noexcept;

/// The same for any number, with those that are no types here: `complex64`; `DataType(99)` for unknown ones.
[[nodiscard]] std::string tensor_type_name(std::int32_t number);

}  // namespace protean::tfserving
