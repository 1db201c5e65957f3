// SPDX-License-Identifier: Apache-2.0
// From the three ways in which arrays are written to one view.
#include "backends/scikit_learn/numpy_array.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "backends/scikit_learn/npy_header.h"
#include "base/checked_math.h"
#include "base/text.h"

namespace protean::sklearn {
namespace {

constexpr std::size_t kCountMax = std::size_t{1} << 40;
constexpr std::size_t kDimensionsMax = 8;

double half_to_double(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const double fraction = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return fraction == 0 ? sign * HUGE_VAL : std::nan("");
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}

std::uint64_t load_bits(const char* bytes, std::size_t size, bool swapped) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, bytes, size);
  if (swapped) bits = __builtin_bswap64(bits) >> (64 - 8 * size);
  return bits;
}

void append_utf8(std::string& out, std::uint32_t code) {
  if (code >= 0x110000 || (code >= 0xd800 && code < 0xe000)) code = 0xfffd;
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 63));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 63));
    out += static_cast<char>(0x80 | (code & 63));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 63));
    out += static_cast<char>(0x80 | ((code >> 6) & 63));
    out += static_cast<char>(0x80 | (code & 63));
  }
}

bool sane_size(char kind, std::size_t size) {
  switch (kind) {
    case 'b': return size == 1;
    case 'i':
    case 'u': return size == 1 || size == 2 || size == 4 || size == 8;
    case 'f': return size == 2 || size == 4 || size == 8;
    case 'S':
    case 'V': return size <= (std::size_t{1} << 24);
    case 'U': return size % 4 == 0 && size <= (std::size_t{1} << 24);
    case 'O': return true;
    default: return false;
  }
}

Status read_fields(const Value& names, const Value& fields, ElementType& type) {
  if (!names.is_sequence() || names.size() > 64) return fail(Code::kInvalidArgument, "array records: names expected");
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto field = fields.key(names.item(i).text());
    TRY(const auto inner, read_element_type(field.item(0)));
    const auto offset = read_integer(field.item(1));
    if (!offset || *offset < 0 || !inner.is_number() || static_cast<std::size_t>(*offset) > type.size ||
        inner.size > type.size - static_cast<std::size_t>(*offset)) {
      return fail(Code::kInvalidArgument, "array records: a field that is no number, or beyond the record");
    }
    type.fields.push_back(
        {std::string(names.item(i).text()), static_cast<std::size_t>(*offset), inner.kind, inner.size, inner.swapped});
  }
  return {};
}

tl::unexpected<Error> broken(std::string what) { return fail(Code::kInvalidArgument, "array: " + std::move(what)); }

/// Puts a view together and checks that there are as many bytes as the shape asks for.
Result<ArrayView> make_view(ElementType type, std::vector<std::size_t> shape, bool fortran, std::string_view data) {
  ArrayView view;
  TRY(view.count, dimensions_product(shape));
  const auto bytes = checked_mul(view.count, type.size);
  if (!bytes || *bytes != data.size()) {
    return broken(std::to_string(data.size()) + " bytes, expected " + std::to_string(view.count) + " elements of " +
                  std::to_string(type.size));
  }
  view.type = std::move(type);
  view.shape = std::move(shape);
  view.fortran = fortran;
  view.data = data;
  return view;
}

Result<ArrayView> make_object_view(std::vector<std::size_t> shape, bool fortran, const Value& list) {
  ArrayView view;
  TRY(view.count, dimensions_product(shape));
  if (!list.is_sequence() || list.size() != view.count) {
    return broken(list.describe() + ", expected a list of " + std::to_string(view.count));
  }
  view.type.kind = 'O';
  view.shape = std::move(shape);
  view.fortran = fortran;
  view.objects = list;
  return view;
}

/// `_reconstruct(ndarray, (0,), b'b')` with the state (version, shape, dtype, fortran, data).
Result<ArrayView> read_reconstructed(const Value& value) {
  const auto state = value.state();
  if (!state.is(Kind::kTuple) || state.size() < 5) return broken("its state is " + state.describe());
  TRY(auto shape, read_dimensions(state.item(1)));
  TRY(auto type, read_element_type(state.item(2)));
  const bool fortran = read_integer(state.item(3)).value_or(0) != 0;
  if (type.kind == 'O') return make_object_view(std::move(shape), fortran, state.item(4));
  if (!state.item(4).is(Kind::kBytes) && !state.item(4).is(Kind::kText)) {
    return broken("its data are " + state.item(4).describe());
  }
  return make_view(std::move(type), std::move(shape), fortran, state.item(4).text());
}

/// `_frombuffer(bytes, dtype, shape, order)`, the way of protocol 5.
Result<ArrayView> read_from_buffer(const Value& args) {
  if (!args.item(0).is(Kind::kBytes)) return broken("its data are " + args.item(0).describe());
  TRY(auto type, read_element_type(args.item(1)));
  if (type.kind == 'O') return broken("objects out of bytes");
  TRY(auto shape, read_dimensions(args.item(2)));
  return make_view(std::move(type), std::move(shape), args.item(3).equals("F"), args.item(0).text());
}

Result<ArrayView> read_inline(const Value& value) {
  const auto state = value.state();
  TRY(auto type, read_element_type(state.key("dtype")));
  if (type.kind == 'O') return read_array(value.args());
  TRY(auto shape, read_dimensions(state.key("shape")));
  return make_view(std::move(type), std::move(shape), state.key("order").equals("F"), value.text());
}

bool is_masked(const Value& value) { return value.global_name() == "_mareconstruct"; }

}  // namespace

std::size_t ArrayView::place(std::size_t index) const {
  if (!fortran || shape.size() < 2) return index;
  std::size_t result = 0;
  std::size_t stride = count;
  for (std::size_t d = shape.size(); d-- > 0;) {
    stride /= shape[d];
    result += (index % shape[d]) * stride;
    index /= shape[d];
  }
  return result;
}

Result<ElementType> parse_element_type(std::string_view text) {
  ElementType type;
  const auto whole = text;
  if (!text.empty() && (text[0] == '<' || text[0] == '>' || text[0] == '|' || text[0] == '=')) {
    type.swapped = text[0] == '>';
    text.remove_prefix(1);
  }
  if (!text.empty()) {
    type.kind = text[0];
    text.remove_prefix(1);
  }
  std::size_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (type.kind == '?') type.kind = 'b', size = 1;
  if (type.kind == 'O') size = 8;
  if (type.kind == 'U') size = size > (1U << 22) ? SIZE_MAX : size * 4;
  if (size > SIZE_MAX / 2 || !sane_size(type.kind, size)) {
    return broken("elements of type '" + printable(whole, 32) + "' are not known here");
  }
  static_cast<void>(end);
  static_cast<void>(error);
  type.size = size;
  return type;
}

Result<ElementType> read_element_type(const Value& value) {
  if (value.is(Kind::kText)) return parse_element_type(value.text());
  if (value.global_name() != "dtype") return broken("its type is " + value.describe() + ", expected a dtype");
  if (!value.args().item(0).is(Kind::kText)) return broken("a dtype without a name");
  TRY(auto type, parse_element_type(value.args().item(0).text()));
  const auto state = value.state();
  if (state.item(1).equals(">")) type.swapped = true;
  if (!state.item(3).is_none()) TRY_STATUS(read_fields(state.item(3), state.item(4), type));
  return type;
}

Result<std::vector<std::size_t>> read_dimensions(const Value& value) {
  std::vector<std::size_t> shape;
  const auto add = [&](const Value& item) -> Status {
    const auto size = read_integer(item);
    if (!size || *size < 0 || static_cast<std::uint64_t>(*size) > kCountMax) {
      return broken("a dimension of " + item.describe());
    }
    shape.push_back(static_cast<std::size_t>(*size));
    return {};
  };
  if (value.is(Kind::kInt)) {
    TRY_STATUS(add(value));
    return shape;
  }
  if (value.is(Kind::kNpy)) {  // as scipy.sparse.save_npz() keeps it
    TRY(const auto array, read_array(value));
    if (array.count > kDimensionsMax || !array.type.is_number()) return broken("a shape that is no list of integers");
    for (std::size_t i = 0; i < array.count; ++i) {
      TRY(const double size, number_at(array, i));
      if (!(size >= 0 && size <= static_cast<double>(kCountMax))) return broken("a dimension out of range");
      shape.push_back(static_cast<std::size_t>(size));
    }
    return shape;
  }
  if (!value.is_sequence() || value.size() > kDimensionsMax) return broken("its shape is " + value.describe());
  for (std::size_t i = 0; i < value.size(); ++i) TRY_STATUS(add(value.item(i)));
  return shape;
}

Result<std::size_t> dimensions_product(std::span<const std::size_t> shape) {
  std::size_t count = 1;
  for (const auto size : shape) {
    const auto product = checked_mul(count, size);
    if (!product || *product > kCountMax) return broken("a shape of more than 2^40 elements");
    count = *product;
  }
  return count;
}

bool is_array(const Value& value) {
  if (value.is(Kind::kNpy) || value.is(Kind::kInline)) return true;
  if (!value.is(Kind::kObject)) return false;
  const auto name = value.callable().global_name();
  return name == "_reconstruct" || name == "_frombuffer" || name == "ndarray" || name == "_mareconstruct";
}

Result<ArrayView> read_array(const Value& value) {
  if (value.is(Kind::kNpy)) {
    TRY(auto npy, read_npy_header(value.text()));
    return make_view(std::move(npy.type), std::move(npy.shape), npy.fortran, npy.data);
  }
  if (value.is(Kind::kInline)) return read_inline(value);
  if (value.is(Kind::kObject) && !is_masked(value)) {
    const auto name = value.callable().global_name();
    if (name == "_reconstruct") return read_reconstructed(value);
    if (name == "_frombuffer") return read_from_buffer(value.args());
    if (name == "ndarray") {
      TRY(auto shape, read_dimensions(value.args()));
      return make_object_view(std::move(shape), false, value.state());
    }
  }
  return fail(Code::kInvalidArgument, "found " + value.describe() + ", expected an array");
}

double element_number(const char* bytes, char kind, std::size_t size, bool swapped) {
  if (kind != 'f')
    return kind == 'u' ? static_cast<double>(static_cast<std::uint64_t>(element_integer(bytes, kind, size, swapped)))
                       : static_cast<double>(element_integer(bytes, kind, size, swapped));
  const auto bits = load_bits(bytes, size, swapped);
  if (size == 8) return std::bit_cast<double>(bits);
  if (size == 4) return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
  return half_to_double(static_cast<std::uint16_t>(bits));
}

std::int64_t element_integer(const char* bytes, char kind, std::size_t size, bool swapped) {
  const auto bits = load_bits(bytes, size, swapped);
  if (kind != 'i' || size == 8) return static_cast<std::int64_t>(bits);
  const auto shift = static_cast<int>(64 - 8 * size);
  return static_cast<std::int64_t>(bits << shift) >> shift;
}

namespace {

/// `scalar(dtype, bytes)`, or an array of no dimensions.
std::optional<ArrayView> read_scalar(const Value& value) {
  if (value.is(Kind::kNpy) || value.is(Kind::kInline)) {
    auto array = read_array(value);
    if (!array || array->count != 1 || !array->shape.empty()) return std::nullopt;
    return *std::move(array);
  }
  if (!value.is(Kind::kObject)) return std::nullopt;
  const auto name = value.callable().global_name();
  if (name == "scalar") {
    auto type = read_element_type(value.args().item(0));
    if (!type || type->kind == 'O') return std::nullopt;
    auto view = make_view(*std::move(type), {}, false, value.args().item(1).text());
    if (!view) return std::nullopt;
    return *std::move(view);
  }
  if (name == "_reconstruct" || name == "_frombuffer") {
    auto array = read_array(value);
    if (!array || array->count != 1 || !array->shape.empty() || array->type.kind == 'O') return std::nullopt;
    return *std::move(array);
  }
  return std::nullopt;
}

std::string element_text(const ArrayView& array, std::size_t place) {
  const auto bytes = array.data.substr(place * array.type.size, array.type.size);
  std::string text;
  if (array.type.kind == 'S') {
    text = bytes;
    text.resize(text.find_last_not_of('\0') + 1);
    return text;
  }
  std::size_t characters = bytes.size() / 4;
  const auto at = [&](std::size_t i) { return load_bits(bytes.data() + 4 * i, 4, array.type.swapped); };
  while (characters > 0 && at(characters - 1) == 0) --characters;
  for (std::size_t i = 0; i < characters; ++i) append_utf8(text, static_cast<std::uint32_t>(at(i)));
  return text;
}

}  // namespace

std::optional<double> read_number(const Value& value) {
  switch (value.kind()) {
    case Kind::kBool:
    case Kind::kInt: return static_cast<double>(value.node().integer);
    case Kind::kFloat: return value.node().real;
    default: break;
  }
  const auto scalar = read_scalar(value);
  if (!scalar || !scalar->type.is_number()) return std::nullopt;
  return element_number(scalar->data.data(), scalar->type.kind, scalar->type.size, scalar->type.swapped);
}

std::optional<std::int64_t> read_integer(const Value& value) {
  if (value.is(Kind::kBool) || value.is(Kind::kInt)) return value.node().integer;
  const auto scalar = read_scalar(value);
  if (!scalar || !scalar->type.is_number() || scalar->type.kind == 'f') return std::nullopt;
  return element_integer(scalar->data.data(), scalar->type.kind, scalar->type.size, scalar->type.swapped);
}

std::optional<std::string> read_text(const Value& value) {
  if (value.is(Kind::kText)) return std::string(value.text());
  const auto scalar = read_scalar(value);
  if (!scalar || (scalar->type.kind != 'U' && scalar->type.kind != 'S')) return std::nullopt;
  return element_text(*scalar, 0);
}

Result<double> number_at(const ArrayView& array, std::size_t index) {
  const auto place = array.place(index);
  if (array.type.is_number()) {
    return element_number(array.data.data() + place * array.type.size, array.type.kind, array.type.size,
                          array.type.swapped);
  }
  if (array.type.kind == 'O') {
    if (const auto number = read_number(array.objects.item(place))) return *number;
    if (array.objects.item(place).is_none()) return std::nan("");
  }
  return broken("an element that is no number");
}

Result<std::string> text_at(const ArrayView& array, std::size_t index) {
  const auto place = array.place(index);
  if (array.type.kind == 'U' || array.type.kind == 'S') return element_text(array, place);
  if (array.type.kind == 'O') {
    if (auto text = read_text(array.objects.item(place))) return *std::move(text);
  }
  return broken("an element that is no text");
}

}  // namespace protean::sklearn
