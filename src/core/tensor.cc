// SPDX-License-Identifier: Apache-2.0
// Size arithmetic and validation of tensors; everything here is reached by data from outside.
#include "core/tensor.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/checked_math.h"

namespace protean {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors travel as they lie in memory");

std::uint32_t read_length(std::span<const std::byte> at) noexcept {
  std::uint32_t length = 0;
  std::memcpy(&length, at.data(), sizeof length);
  return length;
}

Status check_elements(std::span<const std::byte> rest, std::size_t expected, std::string_view name) {
  std::size_t found = 0;
  while (!rest.empty()) {
    if (rest.size() < sizeof(std::uint32_t)) {
      return fail(Code::kInvalidArgument, fmt::format("'{}': {} bytes left after element {}, expected a 4-byte length",
                                                      name, rest.size(), found));
    }
    const std::size_t length = read_length(rest);
    rest = rest.subspan(sizeof(std::uint32_t));
    if (length > rest.size()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("'{}': element {} announces {} bytes, {} are left", name, found, length, rest.size()));
    }
    rest = rest.subspan(length);
    ++found;
  }
  if (found != expected) {
    return fail(Code::kInvalidArgument,
                fmt::format("'{}': {} BYTES elements, expected {} by its shape", name, found, expected));
  }
  return {};
}

Status check_truth_values(std::span<const std::byte> data, std::string_view name) {
  std::byte seen{};
  for (const std::byte b : data) seen |= b;
  if (seen <= std::byte{1}) return {};
  std::size_t at = 0;
  while (data[at] <= std::byte{1}) ++at;
  return fail(Code::kInvalidArgument, fmt::format("'{}': BOOL element {} is byte {}, expected 0 or 1", name, at,
                                                  std::to_integer<int>(data[at])));
}

}  // namespace

std::string format_shape(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

Result<std::size_t> element_count(const Shape& shape) {
  std::int64_t count = 1;
  bool zero = false;
  for (const std::int64_t dimension : shape) {
    if (dimension < 0) {
      return fail(Code::kInvalidArgument,
                  fmt::format("shape {}: dimension {}, expected 0 or more", format_shape(shape), dimension));
    }
    zero = zero || dimension == 0;
    const auto product = checked_mul(count, dimension == 0 ? std::int64_t{1} : dimension);
    if (!product) {
      return fail(Code::kInvalidArgument,
                  fmt::format("shape {}: more elements than fit in 63 bits", format_shape(shape)));
    }
    count = *product;
  }
  return zero ? 0 : static_cast<std::size_t>(count);
}

Result<std::size_t> byte_count(DataType type, const Shape& shape) {
  TRY(const std::size_t count, element_count(shape));
  const std::size_t size = element_size(type);
  if (size == 0) {
    return fail(Code::kInvalidArgument, "BYTES elements have no fixed size");
  }
  const auto bytes = checked_mul(static_cast<std::int64_t>(count), static_cast<std::int64_t>(size));
  if (!bytes) {
    return fail(Code::kInvalidArgument, fmt::format("shape {} of {}: more bytes than fit in 63 bits",
                                                    format_shape(shape), data_type_name(type)));
  }
  return static_cast<std::size_t>(*bytes);
}

Status check_data(const Tensor& tensor, std::string_view name) {
  if (tensor.type == DataType::kBytes) {
    TRY(const std::size_t count, element_count(tensor.shape));
    return check_elements(tensor.data.bytes, count, name);
  }
  TRY(const std::size_t expected, byte_count(tensor.type, tensor.shape));
  if (tensor.data.size() != expected) {
    return fail(Code::kInvalidArgument,
                fmt::format("'{}': {} bytes of data, expected {} for {} {}", name, tensor.data.size(), expected,
                            data_type_name(tensor.type), format_shape(tensor.shape)));
  }
  return tensor.type == DataType::kBool ? check_truth_values(tensor.data.bytes, name) : Status{};
}

std::string_view BytesReader::next() noexcept {
  PROTEAN_CHECK(rest_.size() >= sizeof(std::uint32_t));
  const std::size_t length = read_length(rest_);
  rest_ = rest_.subspan(sizeof(std::uint32_t));
  PROTEAN_CHECK(length <= rest_.size());
  const std::string_view value(reinterpret_cast<const char*>(rest_.data()), length);
  rest_ = rest_.subspan(length);
  return value;
}

void append_bytes_element(Buffer& out, std::string_view value) {
  PROTEAN_CHECK(value.size() <= std::numeric_limits<std::uint32_t>::max());
  const auto length = static_cast<std::uint32_t>(value.size());
  out.append(&length, sizeof length);
  out.append(value);
}

}  // namespace protean
