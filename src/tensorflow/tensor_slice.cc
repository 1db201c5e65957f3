// SPDX-License-Identifier: Apache-2.0
// Ordered code: numbers and strings as bytes that sort as they do; only what keys of slices need of it.
#include "tensorflow/tensor_slice.h"

#include <charconv>
#include <cstring>

#include "base/text.h"

namespace protean {
namespace {

std::optional<std::int64_t> parse_int64(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Unsigned: the number of bytes, then the bytes from the highest on.
void append_number(std::string& out, std::uint64_t value) {
  std::string bytes;
  for (; value != 0; value >>= 8U) bytes.insert(bytes.begin(), static_cast<char>(value & 0xffU));
  out += static_cast<char>(bytes.size());
  out += bytes;
}

void append_string(std::string& out, std::string_view text) {
  for (const char c : text) {
    out += c;
    if (c == '\0') out += '\xff';
    if (c == '\xff') out += '\0';
  }
  out += '\0';
  out += '\1';
}

/// Signed: a header of as many ones as there are bytes, a zero (both inverted for negative numbers), then the number.
void append_signed(std::string& out, std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value < 0 ? ~value : value);
  unsigned length = 1;
  while (length < 10 && 7 * length - 1 < 64 && (bits >> (7 * length - 1)) != 0) ++length;
  std::string bytes(length, value < 0 ? '\xff' : '\0');
  for (unsigned i = 0; i < length && i < 8; ++i) {
    bytes[length - 1 - i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
  }
  for (unsigned i = 0; i < length; ++i)
    bytes[i / 8] = static_cast<char>(bytes[i / 8] ^ static_cast<char>(0x80U >> (i % 8)));
  out += bytes;
}

/// Calls `copy(offset in the whole, offset in the part, elements)` for every run of elements that lie together.
template <typename Copy>
void for_each_run(const Shape& whole, const Shape& part, const std::vector<SliceExtent>& extents, Copy copy) {
  std::size_t total = 1;
  for (const auto dim : part) total *= static_cast<std::size_t>(dim);
  if (total == 0) return;
  const std::size_t run = part.empty() ? 1 : static_cast<std::size_t>(part.back());
  for (std::size_t done = 0; done < total; done += run) {
    std::size_t rest = done / run;
    std::size_t offset = part.empty() ? 0 : static_cast<std::size_t>(extents.back().start);
    std::size_t stride = part.empty() ? 1 : static_cast<std::size_t>(whole.back());
    for (std::size_t i = part.size(); i-- > 1;) {
      const auto dim = static_cast<std::size_t>(part[i - 1]);
      offset += (rest % dim + static_cast<std::size_t>(extents[i - 1].start)) * stride;
      stride *= static_cast<std::size_t>(whole[i - 1]);
      rest /= dim;
    }
    copy(offset, done, run);
  }
}

}  // namespace

Result<std::vector<SliceExtent>> parse_slice(std::string_view text) {
  const auto broken = [&] {
    return fail(Code::kInvalidArgument, "slice '" + printable(text) + "', expected a shape and start,length pairs");
  };
  const auto space = text.rfind(' ');
  if (space == std::string_view::npos) return broken();
  std::vector<SliceExtent> extents;
  for (const auto part : split(text.substr(space + 1), ':')) {
    if (part == "-") {
      extents.push_back({});
      continue;
    }
    const auto pair = split(part, ',');
    if (pair.size() != 2) return broken();
    const auto start = parse_int64(pair[0]);
    const auto length = parse_int64(pair[1]);
    if (!start || !length || *start < 0 || *length < 0) return broken();
    extents.push_back({*start, *length});
  }
  return extents;
}

std::string slice_key(const std::string& name, const std::vector<SliceExtent>& extents) {
  std::string key;
  append_number(key, 0);
  append_string(key, name);
  append_number(key, extents.size());
  for (const auto& extent : extents) {
    append_signed(key, extent.start);
    append_signed(key, extent.length);
  }
  return key;
}

std::optional<Shape> slice_shape(const Shape& whole, const std::vector<SliceExtent>& extents) {
  if (extents.size() != whole.size()) return std::nullopt;
  Shape shape = whole;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const auto& extent = extents[i];
    if (extent.start < 0 || extent.start > whole[i]) return std::nullopt;
    if (extent.length < 0) {
      if (extent.start != 0) return std::nullopt;
      continue;
    }
    if (extent.length > whole[i] - extent.start) return std::nullopt;
    shape[i] = extent.length;
  }
  return shape;
}

Literal take_slice(const Literal& whole, const std::vector<SliceExtent>& extents) {
  Literal part{whole.dtype, *slice_shape(whole.shape, extents), {}, {}};
  const auto each = element_bytes(whole.dtype);
  for_each_run(whole.shape, part.shape, extents, [&](std::size_t from, std::size_t, std::size_t count) {
    part.bytes.append(whole.bytes, from * each, count * each);
    if (each != 0) return;
    const auto first = whole.strings.begin() + static_cast<std::ptrdiff_t>(from);
    part.strings.insert(part.strings.end(), first, first + static_cast<std::ptrdiff_t>(count));
  });
  return part;
}

void put_slice(Literal& whole, const std::vector<SliceExtent>& extents, const Literal& part) {
  const auto each = element_bytes(whole.dtype);
  for_each_run(whole.shape, part.shape, extents, [&](std::size_t to, std::size_t from, std::size_t count) {
    if (each != 0) std::memcpy(whole.bytes.data() + to * each, part.bytes.data() + from * each, count * each);
    for (std::size_t i = 0; each == 0 && i < count; ++i) whole.strings[to + i] = part.strings[from + i];
  });
}

}  // namespace protean
