// SPDX-License-Identifier: Apache-2.0
// The wire format of protobuf, read in place. Where protobuf's own parser would accept something else than
// this one, this one refuses, so that both always see the same message.
#include "backends/onnxruntime/onnx_wire.h"

#include <limits>

namespace protean {
namespace {

constexpr unsigned kVarintBytesMax = 10;
constexpr std::uint64_t kTagMax = std::numeric_limits<std::uint32_t>::max();

}  // namespace

WireState WireReader::read_varint(std::uint64_t& value) noexcept {
  value = 0;
  for (unsigned i = 0; i < kVarintBytesMax; ++i) {
    if (place_ == end_) return WireState::kTruncated;
    const auto byte = static_cast<unsigned char>(file_[place_++]);
    // The tenth byte holds the 64th bit only; protobuf drops the others, which would hide a length.
    if (i == kVarintBytesMax - 1 && byte > 1) return WireState::kMalformed;
    value |= static_cast<std::uint64_t>(byte & 0x7F) << (7 * i);
    if (byte < 0x80) return WireState::kGood;
  }
  return WireState::kMalformed;
}

WireState WireReader::read_fixed(std::size_t size, std::uint64_t& value) noexcept {
  if (end_ - place_ < size) return WireState::kTruncated;
  value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(file_[place_ + i])) << (8 * i);
  }
  place_ += size;
  return WireState::kGood;
}

WireState WireReader::read_content(WireField& field) noexcept {
  std::uint64_t size = 0;
  field.length_at = place_;
  if (const auto state = read_varint(size); state != WireState::kGood) return state;
  field.body = place_;
  if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) - place_) {
    return WireState::kMalformed;
  }
  field.end = place_ + static_cast<std::size_t>(size);
  if (field.end > end_) return WireState::kTruncated;
  place_ = field.end;
  return WireState::kGood;
}

WireState WireReader::next(WireField& field) noexcept {
  field = WireField{};
  if (place_ == end_) return WireState::kEnd;
  field.begin = place_;
  std::uint64_t tag = 0;
  auto state = read_varint(tag);
  if (state != WireState::kGood) return state;
  if (tag > kTagMax || tag < 8) return WireState::kMalformed;
  field.number = static_cast<std::uint32_t>(tag >> 3);
  switch (tag & 7) {
    case 0:
      field.type = WireType::kVarint;
      field.body = place_;
      state = read_varint(field.value);
      break;
    case 1:
      field.type = WireType::kFixed64;
      field.body = place_;
      state = read_fixed(8, field.value);
      break;
    case 2: field.type = WireType::kLength; return read_content(field);
    case 5:
      field.type = WireType::kFixed32;
      field.body = place_;
      state = read_fixed(4, field.value);
      break;
    default: return WireState::kMalformed;
  }
  field.end = place_;
  return state;
}

bool read_packed_varints(std::string_view packed, std::vector<std::uint64_t>& out) {
  std::uint64_t value = 0;
  unsigned shift = 0;
  for (const char c : packed) {
    const auto byte = static_cast<unsigned char>(c);
    if (shift > 63 || (shift == 63 && byte > 1)) return false;
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    shift += 7;
    if (byte >= 0x80) continue;
    out.push_back(value);
    value = 0;
    shift = 0;
  }
  return shift == 0;
}

std::size_t varint_size(std::uint64_t value) noexcept {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>((value & 0x7F) | 0x80));
  out.push_back(static_cast<char>(value));
}

void append_length_header(std::string& out, std::uint32_t number, std::uint64_t size) {
  append_varint(out, (std::uint64_t{number} << 3) | static_cast<std::uint64_t>(WireType::kLength));
  append_varint(out, size);
}

void append_text_field(std::string& out, std::uint32_t number, std::string_view text) {
  append_length_header(out, number, text.size());
  out.append(text);
}

}  // namespace protean
