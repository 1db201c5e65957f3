// SPDX-License-Identifier: Apache-2.0
// The element types a tensor can have: those of the Open Inference Protocol v2, which every other
// dialect and backend maps from and to.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace protean {

enum class DataType : unsigned char {
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kBf16,
  kFp32,
  kFp64,
  kBytes,
};

/// Bytes of one element; 0 for kBytes, whose elements have lengths of their own.
[[nodiscard]] std::size_t element_size(DataType type) noexcept;

/// `FP32` and so on.  Source: Open Inference Protocol v2, "Tensor Data Types"; BF16 as Triton names it.
[[nodiscard]] std::string_view data_type_name(DataType type) noexcept;

/// Exact, case-sensitive inverse of data_type_name().
[[nodiscard]] std::optional<DataType> parse_data_type(std::string_view name) noexcept;

}  // namespace protean
