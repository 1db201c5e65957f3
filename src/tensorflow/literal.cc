// SPDX-License-Identifier: Apache-2.0
// TensorProto has a list for every group of types, which may be shorter than the tensor: then its last element stands
// for the rest.
#include "tensorflow/literal.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/checked_math.h"
#include "base/text.h"

namespace protean {
namespace {

namespace tf = tensorflow;

template <typename T>
T load(const std::string& bytes, std::size_t index) noexcept {
  T value{};
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof value);
  return value;
}

template <typename T>
void append(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// Half of the bits of a float that a bfloat16 is, or an IEEE half.
float widen_half(std::uint16_t bits, tf::DataType dtype) noexcept {
  if (dtype == tf::DT_BFLOAT16) return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16U;
  const std::uint32_t exponent = (bits >> 10U) & 0x1fU;
  const std::uint32_t fraction = bits & 0x3ffU;
  if (exponent == 0) {
    const float small = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -small : small;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23U) | (fraction << 13U));
}

/// Exact for the small numbers that this is asked for; rounds towards zero.
std::uint16_t narrow_half(float value, tf::DataType dtype) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (dtype == tf::DT_BFLOAT16) return static_cast<std::uint16_t>(bits >> 16U);
  const auto sign = static_cast<std::uint16_t>((bits >> 16U) & 0x8000U);
  const auto exponent = static_cast<int>((bits >> 23U) & 0xffU) - 112;
  if (exponent >= 31) return static_cast<std::uint16_t>(sign | 0x7c00U);
  if (exponent <= 0)
    return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(std::ldexp(std::fabs(value), 24)));
  return static_cast<std::uint16_t>(sign | (static_cast<unsigned>(exponent) << 10U) | ((bits >> 13U) & 0x3ffU));
}

/// Copies `list` into raw elements of T, its last one repeated; an empty list is zeros.
template <typename T, typename List>
void fill(Literal& literal, std::size_t count, const List& list) {
  literal.bytes.assign(count * sizeof(T), '\0');
  const auto given = std::min(count, static_cast<std::size_t>(list.size()));
  if (given == 0) return;
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<T>(list[static_cast<int>(std::min(i, given - 1))]);
    std::memcpy(literal.bytes.data() + i * sizeof(T), &value, sizeof value);
  }
}

/// False for types without a list of numbers.
bool fill_from_list(Literal& literal, std::size_t count, const tf::TensorProto& tensor) {
  switch (literal.dtype) {
    case tf::DT_FLOAT: fill<float>(literal, count, tensor.float_val()); return true;
    case tf::DT_DOUBLE: fill<double>(literal, count, tensor.double_val()); return true;
    case tf::DT_INT64: fill<std::int64_t>(literal, count, tensor.int64_val()); return true;
    case tf::DT_INT32: fill<std::int32_t>(literal, count, tensor.int_val()); return true;
    case tf::DT_INT16: fill<std::int16_t>(literal, count, tensor.int_val()); return true;
    case tf::DT_INT8: fill<std::int8_t>(literal, count, tensor.int_val()); return true;
    case tf::DT_UINT8: fill<std::uint8_t>(literal, count, tensor.int_val()); return true;
    case tf::DT_UINT16: fill<std::uint16_t>(literal, count, tensor.int_val()); return true;
    case tf::DT_UINT32: fill<std::uint32_t>(literal, count, tensor.uint32_val()); return true;
    case tf::DT_UINT64: fill<std::uint64_t>(literal, count, tensor.uint64_val()); return true;
    case tf::DT_BOOL: fill<std::uint8_t>(literal, count, tensor.bool_val()); return true;
    case tf::DT_HALF:
    case tf::DT_BFLOAT16: fill<std::uint16_t>(literal, count, tensor.half_val()); return true;
    default: return false;
  }
}

Result<Literal> read_strings(Literal literal, std::size_t count, const tf::TensorProto& tensor) {
  const auto given = std::min(count, static_cast<std::size_t>(tensor.string_val_size()));
  const std::size_t last = given == 0 ? 0 : tensor.string_val(static_cast<int>(given) - 1).size();
  const auto repeated = checked_mul(count - given, last + sizeof(std::string));
  if (!repeated || *repeated > kFilledBytesMax) {
    return fail(Code::kInvalidArgument, "string tensor of " + std::to_string(count) + " elements, of which " +
                                            std::to_string(given) + " are given: too large");
  }
  literal.strings.assign(tensor.string_val().begin(), tensor.string_val().begin() + static_cast<int>(given));
  literal.strings.resize(count, given == 0 ? std::string() : literal.strings.back());
  return literal;
}

}  // namespace

std::size_t Literal::elements() const noexcept {
  const auto each = element_bytes(dtype);
  return each == 0 ? strings.size() : bytes.size() / each;
}

std::size_t element_bytes(tf::DataType dtype) noexcept {
  switch (dtype) {
    case tf::DT_BOOL:
    case tf::DT_INT8:
    case tf::DT_UINT8: return 1;
    case tf::DT_INT16:
    case tf::DT_UINT16:
    case tf::DT_HALF:
    case tf::DT_BFLOAT16: return 2;
    case tf::DT_FLOAT:
    case tf::DT_INT32:
    case tf::DT_UINT32: return 4;
    case tf::DT_DOUBLE:
    case tf::DT_INT64:
    case tf::DT_UINT64: return 8;
    default: return 0;
  }
}

std::string dtype_name(tf::DataType dtype) {
  auto name = tf::DataType_Name(dtype);
  if (name.rfind("DT_", 0) != 0) return "type " + std::to_string(static_cast<int>(dtype));
  name.erase(0, 3);
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name == "float" ? "float32" : name == "double" ? "float64" : name;
}

Result<std::size_t> literal_bytes(const Shape& shape, std::size_t bytes_each) {
  std::optional<std::uint64_t> total = std::max<std::size_t>(bytes_each, 1);
  for (const auto dim : shape) {
    if (dim == 0) return 0;
  }
  for (const auto dim : shape) {
    if (dim < 0) return fail(Code::kInvalidArgument, "shape " + format_shape(shape) + " has a negative dimension");
    total = total ? checked_mul(*total, static_cast<std::uint64_t>(dim)) : std::nullopt;
  }
  if (!total || *total > kLiteralBytesMax) {
    return fail(Code::kInvalidArgument, "shape " + format_shape(shape) + " asks for more than 2 GiB");
  }
  return static_cast<std::size_t>(*total);
}

Shape shape_of(const tf::TensorShapeProto& shape) {
  Shape dims;
  for (const auto& dim : shape.dim()) dims.push_back(dim.size());
  return dims;
}

Result<Literal> read_literal(const tf::TensorProto& tensor, const std::string& where) {
  Literal literal;
  literal.dtype = tensor.dtype();
  literal.shape = shape_of(tensor.tensor_shape());
  const auto each = element_bytes(literal.dtype);
  auto size = literal_bytes(literal.shape, each);
  if (!size) return fail(Code::kInvalidArgument, "constant '" + printable(where) + "': " + size.error().message);
  const auto count = each == 0 ? *size : *size / each;
  if (literal.dtype == tf::DT_STRING) return read_strings(std::move(literal), count, tensor);
  if (each == 0) {
    return fail(Code::kUnimplemented, "constant '" + printable(where) + "' of " + dtype_name(literal.dtype));
  }
  if (!tensor.tensor_content().empty()) {
    if (tensor.tensor_content().size() != *size) {
      return fail(Code::kInvalidArgument,
                  "constant '" + printable(where) + "': " + std::to_string(tensor.tensor_content().size()) +
                      " bytes, expected " + std::to_string(*size) + " for shape " + format_shape(literal.shape));
    }
    literal.bytes = tensor.tensor_content();
    return literal;
  }
  if (*size > kFilledBytesMax && *size / 2 > tensor.ByteSizeLong()) {
    return fail(Code::kInvalidArgument, "constant '" + printable(where) + "' of " + std::to_string(*size) +
                                            " bytes, of which few are given: too large");
  }
  fill_from_list(literal, count, tensor);
  return literal;
}

std::optional<std::int64_t> integer_at(const Literal& literal, std::size_t index) noexcept {
  switch (literal.dtype) {
    case tf::DT_BOOL:
    case tf::DT_UINT8: return load<std::uint8_t>(literal.bytes, index);
    case tf::DT_INT8: return load<std::int8_t>(literal.bytes, index);
    case tf::DT_INT16: return load<std::int16_t>(literal.bytes, index);
    case tf::DT_UINT16: return load<std::uint16_t>(literal.bytes, index);
    case tf::DT_INT32: return load<std::int32_t>(literal.bytes, index);
    case tf::DT_UINT32: return load<std::uint32_t>(literal.bytes, index);
    case tf::DT_INT64: return load<std::int64_t>(literal.bytes, index);
    case tf::DT_UINT64: return static_cast<std::int64_t>(load<std::uint64_t>(literal.bytes, index));
    default: return std::nullopt;
  }
}

std::optional<double> number_at(const Literal& literal, std::size_t index) noexcept {
  switch (literal.dtype) {
    case tf::DT_FLOAT: return load<float>(literal.bytes, index);
    case tf::DT_DOUBLE: return load<double>(literal.bytes, index);
    case tf::DT_HALF:
    case tf::DT_BFLOAT16: return widen_half(load<std::uint16_t>(literal.bytes, index), literal.dtype);
    default: break;
  }
  const auto integer = integer_at(literal, index);
  return integer ? std::optional(static_cast<double>(*integer)) : std::nullopt;
}

Literal integer_literal(tf::DataType dtype, const Shape& shape, const std::vector<std::int64_t>& values) {
  Literal literal{dtype, shape, {}, {}};
  for (const auto value : values) {
    if (dtype == tf::DT_INT32) {
      append(literal.bytes, static_cast<std::int32_t>(value));
    } else {
      append(literal.bytes, value);
    }
  }
  return literal;
}

Literal scalar_literal(tf::DataType dtype, double value) {
  Literal literal{dtype, {}, {}, {}};
  switch (dtype) {
    case tf::DT_FLOAT: append(literal.bytes, static_cast<float>(value)); break;
    case tf::DT_DOUBLE: append(literal.bytes, value); break;
    case tf::DT_HALF:
    case tf::DT_BFLOAT16: append(literal.bytes, narrow_half(static_cast<float>(value), dtype)); break;
    default: {
      // Little-endian: the low bytes of the 64-bit number are the narrower one.
      const auto integer = static_cast<std::int64_t>(value);
      literal.bytes.assign(reinterpret_cast<const char*>(&integer), element_bytes(dtype));
    }
  }
  return literal;
}

}  // namespace protean
