// SPDX-License-Identifier: Apache-2.0
// Reads protobuf at the wire level: fields with their places in the file. Models are checked and changed by
// place (an ONNX file can be 2 GB, and most of it is weights), so nothing is decoded that nobody asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace protean {

/// Source: https://protobuf.dev/programming-guides/encoding ("Message Structure"). Groups are refused.
enum class WireType : unsigned char { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

/// One field. Places count bytes from the start of the file: the tag at `begin`, the length at `length_at`
/// (kLength only), the content in [body, end).
struct WireField {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
  std::uint64_t value = 0;  // kVarint, kFixed32, kFixed64
  std::size_t begin = 0;
  std::size_t length_at = 0;
  std::size_t body = 0;
  std::size_t end = 0;
};

enum class WireState : unsigned char { kGood, kEnd, kTruncated, kMalformed };

/// Walks the fields of the message in [begin, end) of `file`.  Not thread-safe; `file` must outlive it.
/// Stricter than protobuf where that costs no real file: no groups, no tags above 2^32-1.
class WireReader {
 public:
  /// Requires begin <= end <= file.size().
  WireReader(std::string_view file, std::size_t begin, std::size_t end) noexcept
      : file_(file), place_(begin), end_(end) {}
  explicit WireReader(std::string_view message) noexcept : WireReader(message, 0, message.size()) {}

  /// kGood: `field` is the next one. kTruncated: it asks for bytes beyond the message's end; what could be
  /// read of it is in `field` (number 0 when not even the tag), and `end` is where it would end, at most 2^63.
  /// kTruncated and kMalformed are final.
  WireState next(WireField& field) noexcept;
  [[nodiscard]] std::size_t place() const noexcept { return place_; }
  /// The content of a kLength field that next() gave.
  [[nodiscard]] std::string_view content(const WireField& field) const noexcept {
    return file_.substr(field.body, field.end - field.body);
  }

 private:
  WireState read_varint(std::uint64_t& value) noexcept;
  WireState read_fixed(std::size_t size, std::uint64_t& value) noexcept;
  WireState read_content(WireField& field) noexcept;

  std::string_view file_;
  std::size_t place_;
  std::size_t end_;
};

/// Appends the varints of a packed field to `out`; false when the last one is cut off or one is too long.
[[nodiscard]] bool read_packed_varints(std::string_view packed, std::vector<std::uint64_t>& out);

/// Bytes that `value` takes as a varint, [1, 10].
[[nodiscard]] std::size_t varint_size(std::uint64_t value) noexcept;
void append_varint(std::string& out, std::uint64_t value);
/// Tag and length of a kLength field; `size` bytes of content must follow.
void append_length_header(std::string& out, std::uint32_t number, std::uint64_t size);
void append_text_field(std::string& out, std::uint32_t number, std::string_view text);

}  // namespace protean
