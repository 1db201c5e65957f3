// SPDX-License-Identifier: Apache-2.0
// A tensor whose contents are known: constants of a graph and values of a checkpoint, in one form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/tensor.h"
#include "proto/tensorflow.pb.h"

namespace protean {

/// No literal is larger than this: an ONNX model that held it could not be written.
inline constexpr std::size_t kLiteralBytesMax = (std::size_t{1} << 31U) - 1;

/// How much may be filled in where a constant gives fewer values than it has: a file of a few bytes must not ask for
/// gigabytes.
inline constexpr std::size_t kFilledBytesMax = std::size_t{256} << 20U;

/// `bytes`: row-major, little-endian; for DT_STRING empty, with the elements in `strings`.
struct Literal {
  tensorflow::DataType dtype = tensorflow::DT_INVALID;
  Shape shape;
  std::string bytes;
  std::vector<std::string> strings;

  [[nodiscard]] std::size_t elements() const noexcept;
};

/// Bytes of one element; 0 for strings and for types that no ONNX tensor has.
[[nodiscard]] std::size_t element_bytes(tensorflow::DataType dtype) noexcept;
/// "float", "int64" and so on, as TensorFlow's Python names them.
[[nodiscard]] std::string dtype_name(tensorflow::DataType dtype);

/// Elements of `shape` times `bytes_each`.
/// Errors: kInvalidArgument for negative dimensions and products over kLiteralBytesMax.
[[nodiscard]] Result<std::size_t> literal_bytes(const Shape& shape, std::size_t bytes_each);

/// `where` names the tensor in messages.
/// Errors: kInvalidArgument for contents that do not fit the shape; kUnimplemented for types without a literal form.
[[nodiscard]] Result<Literal> read_literal(const tensorflow::TensorProto& tensor, const std::string& where);

[[nodiscard]] Shape shape_of(const tensorflow::TensorShapeProto& shape);

/// An integer or boolean element; nullopt for other types.  Requires index < elements().
[[nodiscard]] std::optional<std::int64_t> integer_at(const Literal& literal, std::size_t index) noexcept;
/// Any number as a double; nullopt for strings.
[[nodiscard]] std::optional<double> number_at(const Literal& literal, std::size_t index) noexcept;

/// DT_INT32 or DT_INT64 of the given shape.  Requires as many values as the shape has elements.
[[nodiscard]] Literal integer_literal(tensorflow::DataType dtype, const Shape& shape,
                                      const std::vector<std::int64_t>& values);
/// One number, rank 0, of any type that element_bytes() knows.
[[nodiscard]] Literal scalar_literal(tensorflow::DataType dtype, double value);

}  // namespace protean
