// SPDX-License-Identifier: Apache-2.0
// Each element type has one field; a field's elements come packed (one run of bytes) or one by one, in any mixture.
#include "protocols/open_inference/grpc_contents.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <protozero/pbf_message.hpp>
#include <protozero/pbf_writer.hpp>
#include <type_traits>

#include "protocols/open_inference/grpc_fields.h"

namespace protean {
namespace {

using grpc_field::Contents;
using protozero::pbf_wire_type;

constexpr std::string_view field_name(Contents field) noexcept {
  switch (field) {
    case Contents::kBool: return "bool_contents";
    case Contents::kInt: return "int_contents";
    case Contents::kInt64: return "int64_contents";
    case Contents::kUint: return "uint_contents";
    case Contents::kUint64: return "uint64_contents";
    case Contents::kFp32: return "fp32_contents";
    case Contents::kFp64: return "fp64_contents";
    case Contents::kBytes: return "bytes_contents";
  }
  return "an unknown field";
}

/// One tensor's elements on their way from the wire into memory.
class ContentsReader {
 public:
  ContentsReader(const Tensor& tensor, std::size_t count, const Place& place)
      : tensor_(tensor), count_(count), place_(place) {}

  Status read(protozero::data_view piece, Contents wanted) {
    protozero::pbf_message<Contents> message(piece);
    while (message.next()) {
      const Contents field = message.tag();
      if (field < Contents::kBool || field > Contents::kBytes) {
        message.skip();
      } else if (field != wanted) {
        return fail(Code::kInvalidArgument,
                    fmt::format("{}: contents in {}, expected {} for {}", place_.text(), field_name(field),
                                field_name(wanted), data_type_name(tensor_.type)));
      } else {
        TRY_STATUS(elements(message));
      }
    }
    return {};
  }

  Result<Slice> finish() && {
    if (found_ != count_) return wrong_count("");
    return std::move(out_).share();
  }

 private:
  Status elements(protozero::pbf_message<Contents>& message) {
    switch (tensor_.type) {
      case DataType::kBool: return varints<bool>(message);
      case DataType::kInt8: return varints<std::int8_t>(message);
      case DataType::kInt16: return varints<std::int16_t>(message);
      case DataType::kInt32: return varints<std::int32_t>(message);
      case DataType::kInt64: return varints<std::int64_t>(message);
      case DataType::kUint8: return varints<std::uint8_t>(message);
      case DataType::kUint16: return varints<std::uint16_t>(message);
      case DataType::kUint32: return varints<std::uint32_t>(message);
      case DataType::kUint64: return varints<std::uint64_t>(message);
      case DataType::kFp32: return fixed(message, pbf_wire_type::fixed32);
      case DataType::kFp64: return fixed(message, pbf_wire_type::fixed64);
      default: return bytes(message);
    }
  }

  template <typename T>
  Status varints(protozero::pbf_message<Contents>& message) {
    if (message.wire_type() == pbf_wire_type::varint) return varint<T>(message.get_uint64());
    if (message.wire_type() != pbf_wire_type::length_delimited) return skip(message);
    const protozero::data_view packed = message.get_view();
    const char* at = packed.data();
    const char* const end = at + packed.size();
    out_.reserve(out_.size() + std::min(packed.size(), count_ - found_) * sizeof(T));
    while (at != end) TRY_STATUS(varint<T>(protozero::decode_varint(&at, end)));
    return {};
  }

  template <typename T>
  Status varint(std::uint64_t wire) {
    if (found_ == count_) return wrong_count("more than ");
    // The fields are 32 bits wide where the types are smaller: protobuf drops the upper half.
    using Field =
        std::conditional_t<sizeof(T) == 8, T, std::conditional_t<std::is_signed_v<T>, std::int32_t, std::uint32_t>>;
    T element{};
    if constexpr (std::is_same_v<T, bool>) {
      element = wire != 0;
    } else {
      const auto value = static_cast<Field>(wire);
      element = static_cast<T>(value);
      if (Field{element} != value) return out_of_range<T>(fmt::format("{}", value));
    }
    out_.append(&element, sizeof element);
    ++found_;
    return {};
  }

  template <typename T>
  Status out_of_range(std::string_view found) const {
    return fail(Code::kInvalidArgument, fmt::format("{}: element {} is {}, expected {} to {} for {}", place_.text(),
                                                    found_, found, std::numeric_limits<T>::min(),
                                                    std::numeric_limits<T>::max(), data_type_name(tensor_.type)));
  }

  /// FP32 and FP64: the wire's bytes are the tensor's.
  Status fixed(protozero::pbf_message<Contents>& message, pbf_wire_type single) {
    if (message.wire_type() == single) {
      if (found_ == count_) return wrong_count("more than ");
      if (single == pbf_wire_type::fixed32) {
        const float element = message.get_float();
        out_.append(&element, sizeof element);
      } else {
        const double element = message.get_double();
        out_.append(&element, sizeof element);
      }
      ++found_;
      return {};
    }
    if (message.wire_type() != pbf_wire_type::length_delimited) return skip(message);
    const protozero::data_view packed = message.get_view();
    const std::size_t size = element_size(tensor_.type);
    if (packed.size() % size != 0) throw protozero::invalid_length_exception{};
    if (packed.size() / size > count_ - found_) return wrong_count("more than ");
    out_.append(packed.data(), packed.size());
    found_ += packed.size() / size;
    return {};
  }

  Status bytes(protozero::pbf_message<Contents>& message) {
    if (message.wire_type() != pbf_wire_type::length_delimited) return skip(message);
    if (found_ == count_) return wrong_count("more than ");
    const protozero::data_view element = message.get_view();
    append_bytes_element(out_, {element.data(), element.size()});
    ++found_;
    return {};
  }

  /// A field of another wire type is an unknown field to protobuf.
  static Status skip(protozero::pbf_message<Contents>& message) {
    message.skip();
    return {};
  }

  tl::unexpected<Error> wrong_count(std::string_view more) const {
    return fail(Code::kInvalidArgument, fmt::format("{}: {}{} elements in contents, expected {} for shape {}",
                                                    place_.text(), more, found_, count_, format_shape(tensor_.shape)));
  }

  const Tensor& tensor_;
  std::size_t count_;
  const Place& place_;
  std::size_t found_ = 0;
  Buffer out_;
};

template <typename Field, typename T>
void write_varints(protozero::pbf_writer& writer, Contents field, std::span<const std::byte> data) {
  if (data.empty()) return;
  Field packed(writer, static_cast<protozero::pbf_tag_type>(field));
  for (std::size_t at = 0; at < data.size(); at += sizeof(T)) {
    T element;
    std::memcpy(&element, data.data() + at, sizeof(T));
    packed.add_element(element);
  }
}

}  // namespace

Result<Slice> read_contents(std::span<const protozero::data_view> pieces, const Tensor& tensor, const Place& place) {
  const auto wanted = grpc_field::contents_field(tensor.type);
  if (!wanted) {
    return fail(Code::kInvalidArgument, fmt::format("{}: {} has no typed contents, expected raw_input_contents",
                                                    place.text(), data_type_name(tensor.type)));
  }
  std::size_t bytes = 0;
  for (const auto& piece : pieces) bytes += piece.size();
  TRY(const std::size_t count, count_within(tensor.shape, bytes, place));
  ContentsReader reader(tensor, count, place);
  for (const auto& piece : pieces) TRY_STATUS(reader.read(piece, *wanted));
  return std::move(reader).finish();
}

void write_contents(std::string& message, const Tensor& tensor) {
  protozero::pbf_writer writer(message);
  const auto data = tensor.data.bytes;
  switch (tensor.type) {
    case DataType::kBool: return write_varints<protozero::packed_field_bool, bool>(writer, Contents::kBool, data);
    case DataType::kInt8:
      return write_varints<protozero::packed_field_int32, std::int8_t>(writer, Contents::kInt, data);
    case DataType::kInt16:
      return write_varints<protozero::packed_field_int32, std::int16_t>(writer, Contents::kInt, data);
    case DataType::kInt32:
      return write_varints<protozero::packed_field_int32, std::int32_t>(writer, Contents::kInt, data);
    case DataType::kInt64:
      return write_varints<protozero::packed_field_int64, std::int64_t>(writer, Contents::kInt64, data);
    case DataType::kUint8:
      return write_varints<protozero::packed_field_uint32, std::uint8_t>(writer, Contents::kUint, data);
    case DataType::kUint16:
      return write_varints<protozero::packed_field_uint32, std::uint16_t>(writer, Contents::kUint, data);
    case DataType::kUint32:
      return write_varints<protozero::packed_field_uint32, std::uint32_t>(writer, Contents::kUint, data);
    case DataType::kUint64:
      return write_varints<protozero::packed_field_uint64, std::uint64_t>(writer, Contents::kUint64, data);
    case DataType::kFp32:
    case DataType::kFp64: {
      const auto field = tensor.type == DataType::kFp32 ? Contents::kFp32 : Contents::kFp64;
      if (data.empty()) return;
      return writer.add_bytes(static_cast<protozero::pbf_tag_type>(field), reinterpret_cast<const char*>(data.data()),
                              data.size());
    }
    default:
      for (BytesReader reader(data); !reader.done();) {
        const std::string_view element = reader.next();
        writer.add_bytes(static_cast<protozero::pbf_tag_type>(Contents::kBytes), element.data(), element.size());
      }
  }
}

}  // namespace protean
