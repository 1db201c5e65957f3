// SPDX-License-Identifier: Apache-2.0
// Elements are printed in blocks: room for a block is made once, so that the loop only moves a pointer.
#include "protocols/open_inference/json_writer.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "protocols/open_inference/half.h"

namespace protean {
namespace {

/// More than the longest number: -2.2250738585072014e-308 and a comma.
constexpr std::size_t kNumberMax = 32;
constexpr std::size_t kBlock = 128;

template <typename T>
char* print_float(char* at, T value) {
  if (!std::isfinite(value)) return std::copy_n("null", 4, at);
  char* const end = fmt::format_to(at, FMT_COMPILE("{}"), value);
  const bool whole = std::all_of(at, end, [](char c) { return c == '-' || (c >= '0' && c <= '9'); });
  return whole ? std::copy_n(".0", 2, end) : end;
}

char* print(char* at, float value) { return print_float(at, value); }
char* print(char* at, double value) { return print_float(at, value); }
char* print(char* at, Half value) { return print_float(at, to_float(value)); }
char* print(char* at, Bfloat16 value) { return print_float(at, to_float(value)); }
char* print(char* at, bool value) { return value ? std::copy_n("true", 4, at) : std::copy_n("false", 5, at); }
template <std::integral T>
char* print(char* at, T value) {
  return std::to_chars(at, at + kNumberMax, value).ptr;
}

bool needs_escape(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

/// One pass without branches: ASCII, and nothing to escape. Almost every name is.
bool is_plain(std::string_view text) noexcept {
  bool plain = true;
  for (const char c : text) plain &= static_cast<signed char>(c) >= 0x20 && c != '"' && c != '\\';
  return plain;
}

}  // namespace

void JsonWriter::grow(std::size_t count) {
  out_.resize(at_ + count);
  out_.resize(out_.capacity());
}

Buffer JsonWriter::finish() && {
  out_.resize(at_);
  return std::move(out_);
}

template <typename T>
void JsonWriter::print_one(T value) {
  char* const start = room(kNumberMax);
  at_ += static_cast<std::size_t>(print(start, value) - start);
}

/// `data` need not be aligned for T.
template <typename T>
void JsonWriter::print_all(std::span<const std::byte> data) {
  const std::size_t count = data.size() / sizeof(T);
  for (std::size_t first = 0; first < count; first += kBlock) {
    const std::size_t last = std::min(first + kBlock, count);
    char* const start = room((last - first) * kNumberMax);
    char* end = start;
    for (std::size_t i = first; i < last; ++i) {
      T value;
      std::memcpy(&value, data.data() + i * sizeof(T), sizeof(T));
      end = print(end, value);
      *end++ = ',';
    }
    at_ += static_cast<std::size_t>(end - start);
  }
  if (count != 0) --at_;
}

void JsonWriter::string(std::string_view text) {
  if (is_plain(text) || (std::ranges::none_of(text, needs_escape) && is_utf8(text))) {
    char* at = room(text.size() + 2);
    *at++ = '"';
    at = std::copy(text.begin(), text.end(), at);
    *at = '"';
    at_ += text.size() + 2;
    return;
  }
  std::string quoted;
  append_json_string(quoted, text);
  raw(quoted);
}

void JsonWriter::integer(std::int64_t value) { print_one(value); }
void JsonWriter::unsigned_integer(std::uint64_t value) { print_one(value); }
void JsonWriter::number(double value) { print_one(value); }

void JsonWriter::integers(std::span<const std::int64_t> values) {
  raw("[");
  print_all<std::int64_t>(std::as_bytes(values));
  raw("]");
}

void JsonWriter::parameter(const Parameter& value) {
  if (const auto* truth = std::get_if<bool>(&value)) return boolean(*truth);
  if (const auto* number_ = std::get_if<std::int64_t>(&value)) return integer(*number_);
  if (const auto* number_ = std::get_if<std::uint64_t>(&value)) return unsigned_integer(*number_);
  if (const auto* number_ = std::get_if<double>(&value)) return number(*number_);
  string(std::get<std::string>(value));
}

void JsonWriter::parameters(const Parameters& parameters) {
  std::string_view comma;
  for (const auto& [name, value] : parameters) {
    raw(std::exchange(comma, ","));
    string(name);
    raw(":");
    parameter(value);
  }
}

Status JsonWriter::elements(const Tensor& tensor, std::string_view name) {
  raw("[");
  const auto data = tensor.data.bytes;
  switch (tensor.type) {
    case DataType::kBool: print_all<bool>(data); break;
    case DataType::kUint8: print_all<std::uint8_t>(data); break;
    case DataType::kUint16: print_all<std::uint16_t>(data); break;
    case DataType::kUint32: print_all<std::uint32_t>(data); break;
    case DataType::kUint64: print_all<std::uint64_t>(data); break;
    case DataType::kInt8: print_all<std::int8_t>(data); break;
    case DataType::kInt16: print_all<std::int16_t>(data); break;
    case DataType::kInt32: print_all<std::int32_t>(data); break;
    case DataType::kInt64: print_all<std::int64_t>(data); break;
    case DataType::kFp16: print_all<Half>(data); break;
    case DataType::kBf16: print_all<Bfloat16>(data); break;
    case DataType::kFp32: print_all<float>(data); break;
    case DataType::kFp64: print_all<double>(data); break;
    case DataType::kBytes: TRY_STATUS(strings(tensor, name)); break;
  }
  raw("]");
  return {};
}

Status JsonWriter::strings(const Tensor& tensor, std::string_view name) {
  std::size_t index = 0;
  for (BytesReader reader(tensor.data.bytes); !reader.done(); ++index) {
    const std::string_view element = reader.next();
    if (!is_utf8(element)) {
      return fail(
          Code::kInvalidArgument,
          fmt::format("output '{}': element {} is not UTF-8 and cannot be a JSON string; ask for this output in "
                      "binary (parameter binary_data)",
                      name, index));
    }
    if (index != 0) raw(",");
    string(element);
  }
  return {};
}

}  // namespace protean
