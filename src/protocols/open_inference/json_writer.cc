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

template <typename T>
void print_one(Buffer& out, T value) {
  const std::size_t start = out.size();
  out.resize(start + kNumberMax);
  char* const begin = reinterpret_cast<char*>(out.data());
  out.resize(static_cast<std::size_t>(print(begin + start, value) - begin));
}

/// `data` need not be aligned for T.
template <typename T>
void print_all(Buffer& out, std::span<const std::byte> data) {
  const std::size_t count = data.size() / sizeof(T);
  for (std::size_t first = 0; first < count; first += kBlock) {
    const std::size_t last = std::min(first + kBlock, count);
    const std::size_t start = out.size();
    out.resize(start + (last - first) * kNumberMax);
    char* const begin = reinterpret_cast<char*>(out.data());
    char* at = begin + start;
    for (std::size_t i = first; i < last; ++i) {
      T value;
      std::memcpy(&value, data.data() + i * sizeof(T), sizeof(T));
      at = print(at, value);
      *at++ = ',';
    }
    out.resize(static_cast<std::size_t>(at - begin));
  }
  if (count != 0) out.resize(out.size() - 1);
}

bool needs_escape(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

}  // namespace

void JsonWriter::string(std::string_view text) {
  if (std::ranges::none_of(text, needs_escape) && is_utf8(text)) {
    raw("\"");
    raw(text);
    raw("\"");
    return;
  }
  std::string quoted;
  append_json_string(quoted, text);
  raw(quoted);
}

void JsonWriter::integer(std::int64_t value) { print_one(out_, value); }
void JsonWriter::unsigned_integer(std::uint64_t value) { print_one(out_, value); }
void JsonWriter::number(double value) { print_one(out_, value); }

void JsonWriter::integers(std::span<const std::int64_t> values) {
  raw("[");
  print_all<std::int64_t>(out_, std::as_bytes(values));
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
    case DataType::kBool: print_all<bool>(out_, data); break;
    case DataType::kUint8: print_all<std::uint8_t>(out_, data); break;
    case DataType::kUint16: print_all<std::uint16_t>(out_, data); break;
    case DataType::kUint32: print_all<std::uint32_t>(out_, data); break;
    case DataType::kUint64: print_all<std::uint64_t>(out_, data); break;
    case DataType::kInt8: print_all<std::int8_t>(out_, data); break;
    case DataType::kInt16: print_all<std::int16_t>(out_, data); break;
    case DataType::kInt32: print_all<std::int32_t>(out_, data); break;
    case DataType::kInt64: print_all<std::int64_t>(out_, data); break;
    case DataType::kFp16: print_all<Half>(out_, data); break;
    case DataType::kBf16: print_all<Bfloat16>(out_, data); break;
    case DataType::kFp32: print_all<float>(out_, data); break;
    case DataType::kFp64: print_all<double>(out_, data); break;
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
      return fail(Code::kInvalidArgument,
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
