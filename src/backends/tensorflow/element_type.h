// SPDX-License-Identifier: Apache-2.0
// Element types: TensorFlow's numbers and ours.
#pragma once

#include <optional>
#include <string>

#include "core/data_type.h"

namespace protean {

/// A reference type (number above 100) counts as what it refers to; nullopt: no protocol here carries it.
[[nodiscard]] std::optional<DataType> from_tensorflow(int type) noexcept;
[[nodiscard]] int to_tensorflow(DataType type) noexcept;

/// `float`, `resource`, `type 77`.
[[nodiscard]] std::string tensorflow_type_name(int type);

}  // namespace protean
