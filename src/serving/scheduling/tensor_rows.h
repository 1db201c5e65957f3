// SPDX-License-Identifier: Apache-2.0
// Rows of tensors: where they lie, how they are put together with padding, and how padding is cut away again. All
// element types, those of variable length included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/tensor.h"

namespace protean {

/// Where rows lie in a tensor's data.
struct ByteRange {
  std::size_t offset = 0;
  std::size_t count = 0;
};

/// Finds the rows of one tensor in ascending order; elements of variable length are walked over once.
/// The tensor has passed check_data() and outlives this.
class RowFinder {
 public:
  explicit RowFinder(const Tensor& tensor);
  /// The next `rows` rows.  Requires that they exist.
  [[nodiscard]] ByteRange next(std::uint64_t rows);

 private:
  const Tensor& tensor_;
  std::size_t row_bytes_ = 0;     // of fixed-size elements
  std::size_t row_elements_ = 0;  // of elements of variable length
  std::size_t at_ = 0;
};

/// A view of rows [begin, begin + rows): shares the tensor's memory.  Requires that they exist.
[[nodiscard]] Tensor view_rows(const Tensor& tensor, std::uint64_t begin, std::uint64_t rows);

/// Appends rows `range` (of `rows` rows) of `tensor`, each filled up with zeros or empty elements to the dimensions
/// that `padded` has beyond the first.  Requires dimensions not above those of `padded`.
void append_padded_rows(Buffer& out, const Tensor& tensor, ByteRange range, std::uint64_t rows, const Shape& padded);

/// A copy without what lies beyond `shape` in any dimension.  Requires as many dimensions, none above the tensor's.
[[nodiscard]] Tensor cut_to(const Tensor& tensor, const Shape& shape);

}  // namespace protean
