// SPDX-License-Identifier: Apache-2.0
// The fields of a TensorProto that matter for data outside the model.
#include "backends/onnxruntime/external_data.h"

#include <array>

#include "backends/onnxruntime/onnx_format.h"
#include "backends/onnxruntime/onnx_wire.h"
#include "base/checked_math.h"
#include "base/text.h"

namespace protean {
namespace {

/// Bits of one element by TensorProto.DataType; 0 for those without a fixed size.
constexpr std::array<std::uint64_t, 27> kElementBits = {0,  32,  8,  8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64,
                                                        64, 128, 16, 8, 8,  8,  8,  4,  4, 4, 8,  2,  2};

struct TensorFields {
  std::string name;
  std::uint64_t data_type = 0;
  std::optional<std::uint64_t> elements = 1;  // nullopt: does not fit, or a negative dimension
  bool external = false;
  bool unknown_location = false;
  bool has_data = false;
  std::optional<std::string> location;
  std::optional<std::string> offset;
  std::optional<std::string> length;
  std::vector<ExternalTensor::Cut> cuts;
};

void add_dimension(std::uint64_t dim, TensorFields& tensor) {
  const bool negative = static_cast<std::int64_t>(dim) < 0;
  tensor.elements = negative || !tensor.elements ? std::nullopt : checked_mul(*tensor.elements, dim);
}

bool read_dimensions(std::string_view packed, TensorFields& tensor) {
  std::vector<std::uint64_t> dims;
  if (!read_packed_varints(packed, dims)) return false;
  for (const auto dim : dims) add_dimension(dim, tensor);
  return true;
}

bool read_entry(std::string_view message, TensorFields& tensor) {
  WireReader reader(message);
  WireField field;
  std::string key;
  std::string value;
  auto state = reader.next(field);
  for (; state == WireState::kGood; state = reader.next(field)) {
    if (field.type != WireType::kLength) continue;
    if (field.number == onnx::key_value::kKey) key = reader.content(field);
    if (field.number == onnx::key_value::kValue) value = reader.content(field);
  }
  if (key == "location") tensor.location = value;
  if (key == "offset") tensor.offset = value;
  if (key == "length") tensor.length = value;
  return state == WireState::kEnd;
}

/// False when the field cannot be what its number says.
bool take(const WireReader& reader, const WireField& field, TensorFields& tensor) {
  namespace t = onnx::tensor;
  const bool text = field.type == WireType::kLength;
  const bool varint = field.type == WireType::kVarint;
  switch (field.number) {
    case t::kDims:
      if (varint) add_dimension(field.value, tensor);
      return varint || (text && read_dimensions(reader.content(field), tensor));
    case t::kDataType: tensor.data_type = field.value; return varint;
    case t::kName: tensor.name = text ? reader.content(field) : ""; return text;
    case t::kExternalData:
      tensor.cuts.push_back({field.begin, field.end});
      return text && read_entry(reader.content(field), tensor);
    case t::kDataLocation: {
      // protobuf keeps the lower 32 bits of an enumeration, and the last of several.
      const auto location = static_cast<std::uint32_t>(field.value);
      tensor.external = location == onnx::kExternal;
      tensor.unknown_location = tensor.unknown_location || location > onnx::kExternal;
      tensor.cuts.push_back({field.begin, field.end});
      return varint;
    }
    case t::kRawData:
    case 4:  // float_data, int32_data, string_data, int64_data, double_data, uint64_data
    case 5:
    case 6:
    case 7:
    case 10:
    case 11: tensor.has_data = tensor.has_data || !text || field.end != field.body; return true;
    default: return true;
  }
}

std::string prefix(const TensorFields& tensor) { return "tensor '" + printable(tensor.name) + "': "; }

Result<std::uint64_t> bytes_of(const TensorFields& tensor) {
  const auto bits = tensor.data_type < kElementBits.size() ? kElementBits[tensor.data_type] : 0;
  if (bits == 0) {
    return fail(Code::kInvalidArgument, prefix(tensor) + "external data of element type " +
                                            std::to_string(tensor.data_type) + "; expected one of a fixed size");
  }
  const auto total = tensor.elements ? checked_mul(*tensor.elements, bits) : std::nullopt;
  const auto rounded = total ? checked_add(*total, std::uint64_t{7}) : std::nullopt;
  if (!rounded) return fail(Code::kInvalidArgument, prefix(tensor) + "dimensions whose product does not fit");
  return *rounded / 8;
}

Result<std::uint64_t> number(const TensorFields& tensor, const char* key, const std::string& text) {
  if (const auto value = parse_uint64(text)) return *value;
  return fail(Code::kInvalidArgument, prefix(tensor) + "external data " + key + " '" + printable(text, 40) +
                                          "', expected a number that is not negative");
}

}  // namespace

Result<std::optional<ExternalTensor>> read_external_tensor(std::string_view file, std::size_t begin, std::size_t end) {
  TensorFields tensor;
  WireReader reader(file, begin, end);
  WireField field;
  auto state = reader.next(field);
  for (; state == WireState::kGood; state = reader.next(field)) {
    if (!take(reader, field, tensor)) break;
  }
  if (state != WireState::kEnd) {
    return fail(Code::kInvalidArgument, prefix(tensor) + "damaged at byte " + std::to_string(field.begin) +
                                            " of the file; copy or export the model again");
  }
  if (tensor.unknown_location) {
    return fail(Code::kInvalidArgument, prefix(tensor) + "unknown data location, expected 0 or 1 (EXTERNAL)");
  }
  if (!tensor.external) return std::optional<ExternalTensor>();
  if (tensor.has_data) {
    return fail(Code::kInvalidArgument, prefix(tensor) + "names external data and holds data; expected one of them");
  }
  ExternalTensor external;
  TRY(external.bytes, bytes_of(tensor));
  if (tensor.offset) {
    TRY(external.offset, number(tensor, "offset", *tensor.offset));
  }
  if (tensor.length) {
    TRY(const auto length, number(tensor, "length", *tensor.length));
    if (length != external.bytes) {
      return fail(Code::kInvalidArgument, prefix(tensor) + "external data length " + std::to_string(length) +
                                              ", expected " + std::to_string(external.bytes) +
                                              " for its type and shape");
    }
  }
  external.name = std::move(tensor.name);
  external.location = tensor.location.value_or("");
  external.cuts = std::move(tensor.cuts);
  return std::optional(std::move(external));
}

}  // namespace protean
