// SPDX-License-Identifier: Apache-2.0
// Numbers of every type from and to one that holds them all. A long double has at least 64 bits of precision where this
// server runs, so that each conversion between two types is rounded once.
#pragma once

#include <cstddef>
#include <string>

#include "core/data_type.h"

namespace protean {

/// NaN for FP16, BF16 and BYTES, which are not read here.  `at`: element_size(type) bytes.  Thread-safe, as all here.
[[nodiscard]] long double read_number(DataType type, const std::byte* at) noexcept;

/// False when the value is none of the type's: beyond its range, or no whole number where the type has only those.
/// Floats take the nearest value.
[[nodiscard]] bool write_number(DataType type, long double value, std::byte* at) noexcept;

/// FP32 and FP64.
[[nodiscard]] bool is_float(DataType type) noexcept;
/// FP16 and BF16.
[[nodiscard]] bool is_half(DataType type) noexcept;

/// Whether every value of `from` is one of `to`: integers of up to 32 bits and FP32 fit into FP64, wider integers hold
/// narrower ones.
/// Source: mlflow.models.utils._enforce_mlflow_datatype.
[[nodiscard]] bool converts_safely(DataType from, DataType to) noexcept;

/// `3`, `2.5`: whole numbers without a fraction.
[[nodiscard]] std::string format_number(long double value);

}  // namespace protean
