// SPDX-License-Identifier: Apache-2.0
// Lists are followed to their leaves; each leaf is one element.
#include "protocols/tensorflow_serving/json_tensor.h"

#include <fmt/format.h>

#include <limits>

#include "protocols/tensorflow_serving/base64.h"
#include "protocols/tensorflow_serving/json_print.h"
#include "protocols/tensorflow_serving/tensor_type.h"

namespace protean::tfserving {
namespace {

tl::unexpected<Error> type_error(const JsonValue& value, DataType type) {
  return fail(Code::kInvalidArgument,
              fmt::format("JSON Value: {} Type: {} is not of expected type: {}", print_value(value),
                          json_type_name(value.type()), tensor_type_name(type)));
}

template <typename T>
void append(Buffer& out, T element) {
  out.append(&element, sizeof element);
}

/// `Token`: the range that is accepted; narrower elements keep the lower bits.
template <typename T, typename Token = T>
Status append_whole(const JsonValue& value, DataType type, Buffer& out) {
  const auto whole = value.is(JsonType::kNumber) ? value.number().whole<Token>() : std::nullopt;
  if (!whole) return type_error(value, type);
  append(out, static_cast<T>(*whole));
  return {};
}

template <typename T>
Status append_real(const JsonValue& value, DataType type, Buffer& out) {
  if (!value.is(JsonType::kNumber)) return type_error(value, type);
  append(out, static_cast<T>(value.number().real));
  return {};
}

Status append_text(const JsonValue& value, Buffer& out) {
  std::string text;
  if (value.is(JsonType::kObject)) {
    const auto coded = value.base64_text();
    if (!coded) {
      return fail(Code::kInvalidArgument,
                  fmt::format("JSON Value: {} not formatted correctly for base64 data", print_value(value)));
    }
    auto bytes = decode_base64(*coded);
    if (!bytes) return fail(Code::kInvalidArgument, "Unable to base64 decode");
    text = *std::move(bytes);
  } else if (value.is(JsonType::kString)) {
    text = value.string();
  } else {
    return type_error(value, DataType::kBytes);
  }
  if (text.size() > std::numeric_limits<std::uint32_t>::max()) {
    return fail(Code::kInvalidArgument, "a string of 4 GiB or more");
  }
  append_bytes_element(out, text);
  return {};
}

Status append_element(const JsonValue& value, DataType type, Buffer& out) {
  if (type == DataType::kBytes) return append_text(value, out);
  if (value.is(JsonType::kObject)) return type_error(value, type);
  switch (type) {
    case DataType::kFp32: return append_real<float>(value, type, out);
    case DataType::kFp64: return append_real<double>(value, type, out);
    case DataType::kInt32: return append_whole<std::int32_t>(value, type, out);
    case DataType::kInt16: return append_whole<std::int16_t, std::int32_t>(value, type, out);
    case DataType::kInt8: return append_whole<std::int8_t, std::int32_t>(value, type, out);
    case DataType::kUint8: return append_whole<std::uint8_t, std::int32_t>(value, type, out);
    case DataType::kInt64: return append_whole<std::int64_t>(value, type, out);
    case DataType::kUint32: return append_whole<std::uint32_t>(value, type, out);
    case DataType::kUint64: return append_whole<std::uint64_t>(value, type, out);
    case DataType::kBool:
      if (!value.is(JsonType::kTrue) && !value.is(JsonType::kFalse)) return type_error(value, type);
      append<std::uint8_t>(out, value.is(JsonType::kTrue) ? 1 : 0);
      return {};
    default:
      return fail(Code::kUnimplemented,
                  fmt::format("Conversion of JSON Value: {} to type: {}", print_value(value), tensor_type_name(type)));
  }
}

/// How many times the text of a value may be looked through before it is refused: a list inside a list costs once more.
constexpr std::size_t kTimesMax = 12;

std::size_t work_max(const JsonExtent& whole) noexcept { return kTimesMax * whole.bytes + 4096; }

/// The value's shape, type and elements, on the way down.
struct Filling {
  const Shape& shape;
  DataType type;
  Buffer& out;
  std::size_t& count;
  std::size_t work_left = 0;

  /// `after`: what follows the value.
  Status walk(const JsonValue& value, std::size_t level, std::string_view& after) {
    if (!value.is(JsonType::kArray)) {
      if (level != shape.size()) {
        return fail(Code::kInvalidArgument,
                    fmt::format("JSON Value: {} found at incorrect level: {} in the JSON DOM. Expected at level: {}",
                                print_value(value), level + 1, shape.size()));
      }
      TRY_STATUS(append_element(value, type, out));
      ++count;
      after = value.after();
      return {};
    }
    if (level >= shape.size()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("Encountered list at unexpected level: {} expected < {}", level, shape.size()));
    }
    const JsonExtent extent = value.extent();
    const std::size_t size = extent.size;
    if (level == 0) work_left = work_max(extent);
    if (extent.bytes > work_left) {
      return fail(Code::kInvalidArgument, fmt::format("Encountered lists inside lists at level: {}, too many for their "
                                                      "size",
                                                      level));
    }
    work_left -= extent.bytes;
    if (static_cast<std::int64_t>(size) != shape[level]) {
      return fail(Code::kInvalidArgument,
                  fmt::format("Encountered list at unexpected size: {} at level: {} expected size: {}", size, level,
                              shape[level]));
    }
    std::string_view inner;
    for (JsonElements at(value); at; at.next(inner)) TRY_STATUS(walk(at.value(), level + 1, inner));
    after = value.rest().substr(extent.bytes);
    return {};
  }
};

}  // namespace

Shape dense_shape(const JsonValue& value) {
  Shape shape;
  std::size_t work_left = 0;
  std::optional<JsonValue> at = value;
  while (at && at->is(JsonType::kArray)) {
    const JsonExtent extent = at->extent();
    if (shape.empty()) work_left = work_max(extent);
    if (extent.bytes > work_left) break;  // append_elements() refuses what is left out
    work_left -= extent.bytes;
    shape.push_back(static_cast<std::int64_t>(extent.size));
    at = at->first();
  }
  return shape;
}

Status append_elements(const JsonValue& value, const Shape& shape, DataType type, Buffer& out, std::size_t& count) {
  std::string_view after;
  return Filling{shape, type, out, count}.walk(value, 0, after);
}

}  // namespace protean::tfserving
