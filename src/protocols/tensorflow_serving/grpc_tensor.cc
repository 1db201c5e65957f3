// SPDX-License-Identifier: Apache-2.0
// Each type has one list; its elements come packed (one run of bytes) or one by one, in any mixture.
#include "protocols/tensorflow_serving/grpc_tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <protozero/pbf_builder.hpp>
#include <protozero/varint.hpp>

#include "base/checked_math.h"
#include "base/text.h"
#include "protocols/tensorflow_serving/grpc_fields.h"
#include "protocols/tensorflow_serving/tensor_type.h"

namespace protean::tfserving {
namespace {

using protozero::data_view;
using protozero::pbf_wire_type;

constexpr std::size_t kRepeatedBytesMax = std::size_t{64} << 20;
constexpr std::size_t kRankMax = 254;  // TensorFlow's own
/// Arrays up to this size are copied: one part less to send is worth more.
constexpr std::size_t kCopiedMax = 4096;

std::optional<field::Tensor> list_of(DataType type) noexcept {
  switch (type) {
    case DataType::kFp32: return field::Tensor::kFloat;
    case DataType::kFp64: return field::Tensor::kDouble;
    case DataType::kInt32:
    case DataType::kInt16:
    case DataType::kInt8:
    case DataType::kUint8:
    case DataType::kUint16: return field::Tensor::kInt;
    case DataType::kBytes: return field::Tensor::kString;
    case DataType::kInt64: return field::Tensor::kInt64;
    case DataType::kBool: return field::Tensor::kBool;
    case DataType::kFp16:
    case DataType::kBf16: return field::Tensor::kHalf;
    case DataType::kUint32: return field::Tensor::kUint32;
    case DataType::kUint64: return field::Tensor::kUint64;
  }
  return std::nullopt;
}

/// The message's fields, the values of all lists still on the wire.
struct Parsed {
  std::int32_t dtype = 0;
  Shape shape;
  bool shape_is_bad = false;
  data_view content;
};

void read_shape(data_view view, Parsed& out) {
  protozero::pbf_message<field::Shape> fields(view);
  while (fields.next()) {
    const auto tag = fields.tag();
    if (tag == field::Shape::kUnknownRank) {
      if (const auto value = field::varint(fields)) out.shape_is_bad = out.shape_is_bad || *value != 0;
      continue;
    }
    const auto dim = field::view(fields);
    if (!dim || tag != field::Shape::kDim) continue;
    std::int64_t size = 0;
    protozero::pbf_message<field::Dim> members(*dim);
    while (members.next()) {
      if (members.tag() != field::Dim::kSize) {
        members.skip();
      } else if (const auto value = field::varint(members)) {
        size = static_cast<std::int64_t>(*value);
      }
    }
    out.shape_is_bad = out.shape_is_bad || size < 0 || out.shape.size() == kRankMax;
    if (!out.shape_is_bad) out.shape.push_back(size);
  }
}

Parsed parse(data_view view) {
  Parsed out;
  protozero::pbf_message<field::Tensor> fields(view);
  while (fields.next()) {
    const auto tag = fields.tag();
    if (tag == field::Tensor::kDtype) {
      if (const auto value = field::varint(fields)) out.dtype = static_cast<std::int32_t>(*value);
    } else if (tag == field::Tensor::kShape) {
      if (const auto shape = field::view(fields)) read_shape(*shape, out);
    } else if (tag == field::Tensor::kContent) {
      if (const auto content = field::view(fields)) out.content = *content;
    } else {
      fields.skip();
    }
  }
  return out;
}

/// Collects up to `count` elements of one list.
class ListReader {
 public:
  ListReader(const Slice& message, DataType type, std::size_t count)
      : message_(message), type_(type), size_(element_size(type)), count_(count) {}

  void read(data_view view) {
    const auto wanted = list_of(type_);
    protozero::pbf_message<field::Tensor> fields(view);
    while (fields.next()) {
      wanted == fields.tag() ? elements(fields) : fields.skip();
    }
  }

  /// As many elements as the shape has; nullopt where that would be too much memory.
  std::optional<Slice> finish() && {
    if (whole_ && found_ == count_) return part(*whole_);
    own();
    if (found_ == count_) return std::move(out_).share();
    if (type_ == DataType::kBytes) return repeat_text();
    const std::size_t have = out_.size();
    const std::size_t bytes = count_ * size_;
    if (bytes - have > kRepeatedBytesMax) return std::nullopt;
    out_.resize(bytes);
    if (found_ == 0) {
      std::memset(out_.data(), 0, bytes);
    } else {
      for (std::size_t at = have; at < bytes; at += size_)
        std::memcpy(out_.data() + at, out_.data() + have - size_, size_);
    }
    return std::move(out_).share();
  }

 private:
  [[nodiscard]] Slice part(data_view view) const {
    return message_.part(static_cast<std::size_t>(view.data() - message_.text().data()), view.size());
  }

  std::optional<Slice> repeat_text() {
    const std::size_t element = sizeof(std::uint32_t) + last_text_.size();
    if ((count_ - found_) > kRepeatedBytesMax / element) return std::nullopt;
    for (; found_ < count_; ++found_) append_bytes_element(out_, last_text_);
    return std::move(out_).share();
  }

  void own() {
    if (whole_) out_.append(whole_->data(), whole_->size());
    whole_.reset();
  }

  void elements(protozero::pbf_message<field::Tensor>& fields) {
    const auto wire = fields.wire_type();
    if (type_ == DataType::kBytes) {
      const auto element = field::view(fields);
      if (!element || found_ == count_) return;
      last_text_ = field::text(*element);
      append_bytes_element(out_, last_text_);
      ++found_;
    } else if (type_ == DataType::kFp32 || type_ == DataType::kFp64) {
      fixed(fields, wire);
    } else if (wire == pbf_wire_type::length_delimited) {
      const data_view packed = fields.get_view();
      const char* at = packed.data();
      const char* const end = at + packed.size();
      out_.reserve(out_.size() + std::min(packed.size(), count_ - found_) * size_);
      while (at != end) add(protozero::decode_varint(&at, end));
    } else if (const auto value = field::varint(fields)) {
      add(*value);
    }
  }

  void fixed(protozero::pbf_message<field::Tensor>& fields, pbf_wire_type wire) {
    const auto single = type_ == DataType::kFp32 ? pbf_wire_type::fixed32 : pbf_wire_type::fixed64;
    if (wire == single) {
      own();
      if (found_ == count_) return fields.skip();
      if (type_ == DataType::kFp32) {
        const float value = fields.get_float();
        out_.append(&value, sizeof value);
      } else {
        const double value = fields.get_double();
        out_.append(&value, sizeof value);
      }
      ++found_;
      return;
    }
    const auto packed = field::view(fields);
    if (!packed || packed->size() == 0) return;
    if (packed->size() % size_ != 0) throw protozero::invalid_length_exception{};
    const std::size_t take = std::min(packed->size() / size_, count_ - found_);
    const data_view taken(packed->data(), take * size_);
    if (found_ == 0 && take > 0) {
      whole_ = taken;
    } else {
      own();
      out_.append(taken.data(), taken.size());
    }
    found_ += take;
  }

  /// The narrower types keep the lower bits.
  void add(std::uint64_t value) {
    if (found_ == count_) return;
    if (type_ == DataType::kBool) value = value != 0 ? 1 : 0;
    out_.append(&value, size_);
    ++found_;
  }

  const Slice& message_;
  const DataType type_;
  const std::size_t size_;
  const std::size_t count_;
  std::size_t found_ = 0;
  std::optional<data_view> whole_;  // one run of floats that is all there is so far
  std::string_view last_text_;
  Buffer out_;
};

/// tensor_content of strings: all lengths as varints, then all bytes.
std::optional<Slice> read_string_content(data_view content, std::size_t count) {
  if (count > content.size()) return std::nullopt;
  const char* at = content.data();
  const char* const end = at + content.size();
  std::vector<std::size_t> sizes(count);
  for (auto& size : sizes) size = protozero::decode_varint(&at, end);
  Buffer out;
  for (const std::size_t size : sizes) {
    if (size > static_cast<std::size_t>(end - at)) return std::nullopt;
    append_bytes_element(out, {at, size});
    at += size;
  }
  if (at != end) return std::nullopt;
  return std::move(out).share();
}

template <typename Field, typename T>
std::string packed(const Tensor& tensor, field::Tensor tag) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  if (tensor.data.empty()) return bytes;
  bytes.reserve(tensor.data.size() / sizeof(T) * 3);
  Field list(writer, static_cast<protozero::pbf_tag_type>(tag));
  for (std::size_t at = 0; at + sizeof(T) <= tensor.data.size(); at += sizeof(T)) {
    T element;
    std::memcpy(&element, tensor.data.data() + at, sizeof(T));
    list.add_element(element);
  }
  return bytes;
}

std::string texts(const Tensor& tensor) {
  std::string bytes;
  protozero::pbf_builder<field::Tensor> out(bytes);
  for (BytesReader reader(tensor.data.bytes); !reader.done();) {
    const std::string_view element = reader.next();
    out.add_string(field::Tensor::kString, element.data(), element.size());
  }
  return bytes;
}

std::string text_content(const Tensor& tensor) {
  std::string sizes, all;
  for (BytesReader reader(tensor.data.bytes); !reader.done();) {
    const std::string_view element = reader.next();
    protozero::add_varint_to_buffer(&sizes, element.size());
    all += element;
  }
  std::string bytes;
  protozero::pbf_builder<field::Tensor>(bytes).add_bytes(field::Tensor::kContent, sizes + all);
  return bytes;
}

/// The list of a type whose elements are not on the wire as in memory.
std::string converted(const Tensor& tensor) {
  using protozero::packed_field_bool;
  using protozero::packed_field_int32;
  using protozero::packed_field_int64;
  using protozero::packed_field_uint32;
  using protozero::packed_field_uint64;
  switch (tensor.type) {
    case DataType::kInt32: return packed<packed_field_int32, std::int32_t>(tensor, field::Tensor::kInt);
    case DataType::kInt16: return packed<packed_field_int32, std::int16_t>(tensor, field::Tensor::kInt);
    case DataType::kInt8: return packed<packed_field_int32, std::int8_t>(tensor, field::Tensor::kInt);
    case DataType::kUint8: return packed<packed_field_int32, std::uint8_t>(tensor, field::Tensor::kInt);
    case DataType::kUint16: return packed<packed_field_int32, std::uint16_t>(tensor, field::Tensor::kInt);
    case DataType::kFp16:
    case DataType::kBf16: return packed<packed_field_int32, std::uint16_t>(tensor, field::Tensor::kHalf);
    case DataType::kInt64: return packed<packed_field_int64, std::int64_t>(tensor, field::Tensor::kInt64);
    case DataType::kUint32: return packed<packed_field_uint32, std::uint32_t>(tensor, field::Tensor::kUint32);
    case DataType::kUint64: return packed<packed_field_uint64, std::uint64_t>(tensor, field::Tensor::kUint64);
    case DataType::kBool: return packed<packed_field_bool, bool>(tensor, field::Tensor::kBool);
    default: return texts(tensor);
  }
}

std::string tensor_head(const Tensor& tensor) {
  std::string bytes;
  protozero::pbf_builder<field::Tensor> out(bytes);
  out.add_int32(field::Tensor::kDtype, tensor_type_number(tensor.type));
  std::string shape;
  protozero::pbf_builder<field::Shape> dims(shape);
  for (const std::int64_t size : tensor.shape) {
    std::string dim;
    if (size != 0) protozero::pbf_builder<field::Dim>(dim).add_int64(field::Dim::kSize, size);
    dims.add_message(field::Shape::kDim, dim);
  }
  out.add_message(field::Tensor::kShape, shape);
  return bytes;
}

void add_key(std::string& out, std::uint32_t tag, std::size_t size) {
  protozero::add_varint_to_buffer(&out, (tag << 3) | static_cast<std::uint32_t>(pbf_wire_type::length_delimited));
  protozero::add_varint_to_buffer(&out, size);
}

}  // namespace

Result<Tensor> read_tensor(const Slice& message, data_view view, std::string_view name) {
  const Parsed parsed = parse(view);
  const auto wrong = [&](std::string_view why) {
    return fail(Code::kInvalidArgument, fmt::format("tensor parsing error: {}{}", printable(name), why));
  };
  const auto type = parse_tensor_type(parsed.dtype);
  if (!type) return wrong(fmt::format(" (type {} is not supported)", tensor_type_name(parsed.dtype)));
  const auto count = parsed.shape_is_bad ? Result<std::size_t>(wrong("")) : element_count(parsed.shape);
  if (!count) return wrong("");
  Tensor tensor{*type, parsed.shape, {}};
  if (*count == 0) return tensor;
  if (parsed.content.size() > 0) {
    if (*type == DataType::kBytes) {
      auto texts = read_string_content(parsed.content, *count);
      if (!texts) return wrong("");
      tensor.data = *std::move(texts);
      return tensor;
    }
    if (checked_mul(*count, element_size(*type)) != parsed.content.size()) return wrong("");
    tensor.data =
        message.part(static_cast<std::size_t>(parsed.content.data() - message.text().data()), parsed.content.size());
    return tensor;
  }
  const auto bytes = checked_mul(*count, std::max<std::size_t>(element_size(*type), 1));
  if (!bytes || *bytes > view.size() * 8 + kRepeatedBytesMax) return wrong(" (more values are missing than 64 MiB)");
  ListReader reader(message, *type, *count);
  reader.read(view);
  auto data = std::move(reader).finish();
  if (!data) return wrong(" (more values are missing than 64 MiB)");
  tensor.data = *std::move(data);
  return tensor;
}

void write_tensor_entry(std::vector<Slice>& parts, std::string& open, const InferOutput& output, std::uint32_t tag,
                        bool as_content) {
  const Tensor& tensor = output.tensor;
  const bool floats = tensor.type == DataType::kFp32 || tensor.type == DataType::kFp64;
  const bool raw = (floats || as_content) && tensor.type != DataType::kBytes;
  std::string inside = tensor_head(tensor);
  const std::size_t raw_bytes = raw ? tensor.data.size() : 0;
  if (raw && raw_bytes > 0) {
    const auto list = as_content ? field::Tensor::kContent : *list_of(tensor.type);
    add_key(inside, static_cast<std::uint32_t>(list), raw_bytes);
  } else if (!raw) {
    inside += as_content ? text_content(tensor) : converted(tensor);
  }
  std::string key;
  protozero::pbf_builder<field::MapEntry>(key).add_string(field::MapEntry::kKey, output.name);
  add_key(key, static_cast<std::uint32_t>(field::MapEntry::kValue), inside.size() + raw_bytes);
  add_key(open, tag, key.size() + inside.size() + raw_bytes);
  open += key;
  open += inside;
  if (raw_bytes <= kCopiedMax) {
    if (raw_bytes > 0) open += tensor.data.text();
    return;
  }
  parts.push_back(Slice::of(std::exchange(open, {})));
  parts.push_back(tensor.data);
}

}  // namespace protean::tfserving
