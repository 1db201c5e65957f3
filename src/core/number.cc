// SPDX-License-Identifier: Apache-2.0
// One switch over the types to read, one to write.
#include "core/number.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace protean {
namespace {

constexpr long double kNan = std::numeric_limits<long double>::quiet_NaN();

template <typename T>
long double load(const std::byte* at) noexcept {
  T value{};
  std::memcpy(&value, at, sizeof value);
  return static_cast<long double>(value);
}

template <typename T>
bool store_integer(long double value, std::byte* at) noexcept {
  using Limits = std::numeric_limits<T>;
  if (std::isnan(value) || value != std::trunc(value)) return false;
  if (value < static_cast<long double>(Limits::min()) || value > static_cast<long double>(Limits::max())) return false;
  const T narrowed = static_cast<T>(value);
  std::memcpy(at, &narrowed, sizeof narrowed);
  return true;
}

template <typename T>
bool store_float(long double value, std::byte* at) noexcept {
  const T narrowed = static_cast<T>(value);
  if (std::isinf(narrowed) && !std::isinf(value)) return false;
  std::memcpy(at, &narrowed, sizeof narrowed);
  return true;
}

bool is_unsigned(DataType type) noexcept {
  return type == DataType::kUint8 || type == DataType::kUint16 || type == DataType::kUint32 ||
         type == DataType::kUint64;
}

}  // namespace

long double read_number(DataType type, const std::byte* at) noexcept {
  switch (type) {
    case DataType::kBool:
    case DataType::kUint8: return load<std::uint8_t>(at);
    case DataType::kUint16: return load<std::uint16_t>(at);
    case DataType::kUint32: return load<std::uint32_t>(at);
    case DataType::kUint64: return load<std::uint64_t>(at);
    case DataType::kInt8: return load<std::int8_t>(at);
    case DataType::kInt16: return load<std::int16_t>(at);
    case DataType::kInt32: return load<std::int32_t>(at);
    case DataType::kInt64: return load<std::int64_t>(at);
    case DataType::kFp32: return load<float>(at);
    case DataType::kFp64: return load<double>(at);
    default: return kNan;
  }
}

bool write_number(DataType type, long double value, std::byte* at) noexcept {
  switch (type) {
    case DataType::kBool: return (value == 0 || value == 1) && store_integer<std::uint8_t>(value, at);
    case DataType::kUint8: return store_integer<std::uint8_t>(value, at);
    case DataType::kUint16: return store_integer<std::uint16_t>(value, at);
    case DataType::kUint32: return store_integer<std::uint32_t>(value, at);
    case DataType::kUint64: return store_integer<std::uint64_t>(value, at);
    case DataType::kInt8: return store_integer<std::int8_t>(value, at);
    case DataType::kInt16: return store_integer<std::int16_t>(value, at);
    case DataType::kInt32: return store_integer<std::int32_t>(value, at);
    case DataType::kInt64: return store_integer<std::int64_t>(value, at);
    case DataType::kFp32: return store_float<float>(value, at);
    case DataType::kFp64: return store_float<double>(value, at);
    default: return false;
  }
}

bool is_float(DataType type) noexcept { return type == DataType::kFp32 || type == DataType::kFp64; }
bool is_half(DataType type) noexcept { return type == DataType::kFp16 || type == DataType::kBf16; }

bool converts_safely(DataType from, DataType to) noexcept {
  if (from == to) return true;
  if (from == DataType::kBytes || to == DataType::kBytes || is_half(from) || is_half(to)) return false;
  if (from == DataType::kBool || to == DataType::kBool) return false;
  const std::size_t from_size = element_size(from);
  const std::size_t to_size = element_size(to);
  if (is_float(to)) return to == DataType::kFp64 && from_size <= 4;
  if (is_float(from)) return false;
  if (is_unsigned(from) == is_unsigned(to)) return to_size >= from_size;
  return is_unsigned(from) && to_size > from_size;
}

std::string format_number(long double value) {
  if (value == std::trunc(value) && std::fabs(value) < 1e18L) {
    return fmt::format("{}", static_cast<std::int64_t>(value));
  }
  return fmt::format("{}", static_cast<double>(value));
}

}  // namespace protean
