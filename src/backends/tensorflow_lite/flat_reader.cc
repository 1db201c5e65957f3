// SPDX-License-Identifier: Apache-2.0
// All arithmetic is on 64-bit places below the buffer's size, plus offsets of at most 32 bits: it cannot overflow.
#include "backends/tensorflow_lite/flat_reader.h"

#include <cstring>

namespace protean {
namespace {

constexpr std::size_t kOffsetBytes = 4;
constexpr std::size_t kVtableHeadBytes = 4;

template <typename T>
std::optional<T> read(std::string_view buffer, std::size_t place) noexcept {
  if (place > buffer.size() || buffer.size() - place < sizeof(T)) return std::nullopt;
  T value{};
  std::memcpy(&value, buffer.data() + place, sizeof(T));
  return value;
}

/// The place that the offset at `place` leads to.
std::optional<std::size_t> follow(std::string_view buffer, std::size_t place) noexcept {
  const auto offset = read<std::uint32_t>(buffer, place);
  if (!offset || *offset == 0 || *offset > buffer.size() - place) return std::nullopt;
  return place + *offset;
}

}  // namespace

std::optional<FlatTable> FlatTable::root(std::string_view buffer) noexcept {
  const auto place = follow(buffer, 0);
  return place ? at(buffer, *place) : std::nullopt;
}

std::optional<FlatTable> FlatTable::at(std::string_view buffer, std::size_t place) noexcept {
  if (!read<std::int32_t>(buffer, place)) return std::nullopt;
  return FlatTable(buffer, place);
}

std::optional<std::size_t> FlatTable::find(unsigned field, std::size_t bytes) const noexcept {
  const auto back = read<std::int32_t>(buffer_, place_);
  if (!back) return std::nullopt;
  const auto vtable = static_cast<std::int64_t>(place_) - *back;
  if (vtable < 0 || static_cast<std::uint64_t>(vtable) >= buffer_.size()) return std::nullopt;
  const auto start = static_cast<std::size_t>(vtable);
  const auto size = read<std::uint16_t>(buffer_, start);
  const std::size_t entry = kVtableHeadBytes + std::size_t{field} * 2;
  if (!size || entry + 2 > *size) return std::nullopt;
  const auto offset = read<std::uint16_t>(buffer_, start + entry);
  if (!offset || *offset == 0) return std::nullopt;
  const std::size_t found = place_ + *offset;
  if (found > buffer_.size() || buffer_.size() - found < bytes) return std::nullopt;
  return found;
}

std::optional<std::int8_t> FlatTable::int8(unsigned field) const noexcept {
  const auto place = find(field, 1);
  return place ? read<std::int8_t>(buffer_, *place) : std::nullopt;
}

std::optional<std::uint32_t> FlatTable::uint32(unsigned field) const noexcept {
  const auto place = find(field, sizeof(std::uint32_t));
  return place ? read<std::uint32_t>(buffer_, *place) : std::nullopt;
}

std::optional<std::string_view> FlatTable::text(unsigned field) const noexcept {
  const auto found = vector(field, 1);
  if (!found) return std::nullopt;
  return buffer_.substr(found->first_, found->size_);
}

std::optional<FlatTable> FlatTable::table(unsigned field) const noexcept {
  const auto place = find(field, kOffsetBytes);
  const auto target = place ? follow(buffer_, *place) : std::nullopt;
  return target ? at(buffer_, *target) : std::nullopt;
}

std::optional<FlatVector> FlatTable::vector(unsigned field, std::size_t element_bytes) const noexcept {
  const auto place = find(field, kOffsetBytes);
  if (!place) return std::nullopt;
  const auto start = follow(buffer_, *place);
  const auto size = start ? read<std::uint32_t>(buffer_, *start) : std::nullopt;
  if (!size) return std::nullopt;
  const std::size_t first = *start + kOffsetBytes;
  if (*size > (buffer_.size() - first) / element_bytes) return std::nullopt;
  return FlatVector(buffer_, first, *size);
}

std::int32_t FlatVector::int32(std::size_t i) const noexcept {
  return read<std::int32_t>(buffer_, first_ + i * sizeof(std::int32_t)).value_or(0);
}

std::optional<FlatTable> FlatVector::table(std::size_t i) const noexcept {
  const auto place = follow(buffer_, first_ + i * kOffsetBytes);
  return place ? FlatTable::at(buffer_, *place) : std::nullopt;
}

}  // namespace protean
