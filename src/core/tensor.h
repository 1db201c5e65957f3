// SPDX-License-Identifier: Apache-2.0
// The one tensor type from the socket to the backend and back: element type, shape, and bytes that may be a
// view into a request body or into a framework's own memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "core/data_type.h"

namespace protean {

/// Dimensions, outermost first; empty for a scalar. In a signature -1 means "any size".
using Shape = std::vector<std::int64_t>;

/// `[2,-1,3]`, as messages and pages print it.
[[nodiscard]] std::string format_shape(const Shape& shape);

/// Product of the dimensions (1 for a scalar).
/// Errors: kInvalidArgument for a negative dimension or a product above 2^63-1.
[[nodiscard]] Result<std::size_t> element_count(const Shape& shape);

/// Row-major, little-endian, without gaps. kBytes elements are each a 4-byte little-endian length and that
/// many bytes, one after another (Open Inference Protocol v2, binary tensor data extension).
/// kBool elements are one byte, 0 or 1.
struct Tensor {
  DataType type = DataType::kFp32;
  Shape shape;
  Slice data;
};

/// Bytes that a fixed-size tensor of this type and shape has.
/// Errors: as element_count(), or kInvalidArgument when the byte count overflows or the type is kBytes.
[[nodiscard]] Result<std::size_t> byte_count(DataType type, const Shape& shape);

/// That `data` has exactly the bytes that type and shape ask for; for kBytes, that it splits into exactly
/// element_count elements; for kBool, that every byte is 0 or 1.
/// `name`: for the message.  Errors: kInvalidArgument.
[[nodiscard]] Status check_data(const Tensor& tensor, std::string_view name);

/// Walks the elements of a kBytes tensor that check_data() has passed.
class BytesReader {
 public:
  explicit BytesReader(std::span<const std::byte> data) noexcept : rest_(data) {}
  /// Requires that elements are left.
  [[nodiscard]] std::string_view next() noexcept;
  [[nodiscard]] bool done() const noexcept { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

/// Appends one kBytes element.  Requires value.size() < 2^32.
void append_bytes_element(Buffer& out, std::string_view value);

}  // namespace protean
