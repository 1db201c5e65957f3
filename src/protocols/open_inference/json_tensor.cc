// SPDX-License-Identifier: Apache-2.0
// One walk for all types (Rows) over one sink for each kind of element. take() is what the parser does well; what it
// leaves goes by the element's own text in take_unusual(): 3.0 for an integer, NaN, and every error.
#include "protocols/open_inference/json_tensor.h"

#include <fast_float/fast_float.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "protocols/open_inference/half.h"
#include "protocols/open_inference/json_check.h"

namespace protean {
namespace {

namespace ondemand = simdjson::ondemand;

std::string_view token_of(ondemand::value value) noexcept {
  const std::string_view token = value.raw_json_token();
  return token.substr(0, token.find_last_not_of(" \n\r\t") + 1);
}

bool is_json_token(std::string_view token) noexcept {
  if (token.starts_with('"') || token.starts_with('[') || token.starts_with('{')) return true;
  return token == "true" || token == "false" || token == "null" || token == "NaN" || token == "Infinity" ||
         token == "-Infinity" || is_json_number(token);
}

template <typename T>
T parse_float(std::string_view token) noexcept {
  T value{};
  fast_float::from_chars(token.data(), token.data() + token.size(), value);
  return value;
}

/// A tensor being filled: bounds, and errors that name the element.
class SinkBase {
 public:
  SinkBase(const JsonText& text, const JsonTensor& tensor) : text_(text), tensor_(tensor) {}
  [[nodiscard]] std::size_t filled() const noexcept { return filled_; }

  /// What is not JSON at all is malformed; the rest is of the wrong kind.  `subject`: `element 3 of data is`.
  [[nodiscard]] tl::unexpected<Error> unexpected(std::string_view token, std::string_view subject,
                                                 std::string_view expected) const {
    if (!is_json_token(token)) return text_.malformed(simdjson::TAPE_ERROR);
    return fail(Code::kInvalidArgument,
                fmt::format("{}: {} {}, expected {}", tensor_.place.text(), subject, describe_json(token), expected));
  }

 protected:
  [[nodiscard]] tl::unexpected<Error> refuse(std::string_view token, std::string_view expected) const {
    return unexpected(token, fmt::format("element {} of data is", filled_),
                      fmt::format("{} for {}", expected, data_type_name(tensor_.type)));
  }

  const JsonText& text_;
  const JsonTensor& tensor_;
  std::size_t filled_ = 0;
};

template <typename T>
class NumberSink : public SinkBase {
 public:
  NumberSink(const JsonText& text, const JsonTensor& tensor)
      : SinkBase(text, tensor), buffer_(tensor.count * sizeof(T)), out_(reinterpret_cast<T*>(buffer_.data())) {}

  [[nodiscard]] Slice finish() && { return std::move(buffer_).share(); }

 protected:
  void put(T value) noexcept { out_[filled_++] = value; }

 private:
  Buffer buffer_;
  T* out_;
};

template <typename T>
class IntegerSink : public NumberSink<T> {
 public:
  using NumberSink<T>::NumberSink;

  bool take(ondemand::value& value) {
    using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
    Wide wide = 0;
    if (read(value, wide) || wide < Wide{Limits::min()} || wide > Wide{Limits::max()}) return false;
    this->put(static_cast<T>(wide));
    return true;
  }

  /// 3.0 and 1e2 are integers too, as long as a double holds them exactly.
  Status take_unusual(ondemand::value& value) {
    constexpr double kExactMax = 9007199254740992.0;
    const std::string_view token = token_of(value);
    const double number = is_json_number(token) ? parse_float<double>(token) : kExactMax;
    const bool integral = std::fabs(number) < kExactMax && number == std::trunc(number);
    const bool fits = number >= static_cast<double>(Limits::min()) && number <= static_cast<double>(Limits::max());
    if (!integral || !fits) {
      return this->refuse(token, fmt::format("an integer from {} to {}", Limits::min(), Limits::max()));
    }
    this->put(static_cast<T>(number));
    return {};
  }

 private:
  using Limits = std::numeric_limits<T>;

  static simdjson::error_code read(ondemand::value& value, std::int64_t& out) { return value.get_int64().get(out); }
  static simdjson::error_code read(ondemand::value& value, std::uint64_t& out) { return value.get_uint64().get(out); }
};

/// Rounded to the element type; nullopt when a finite number is beyond it.
std::optional<double> narrow(double value, double) { return value; }
std::optional<float> narrow(double value, float) {
  const auto narrowed = static_cast<float>(value);
  if (std::isinf(narrowed) && !std::isinf(value)) return std::nullopt;
  return narrowed;
}
std::optional<Half> narrow(double value, Half) { return to_half(value); }
std::optional<Bfloat16> narrow(double value, Bfloat16) { return to_bfloat16(value); }

template <typename T>
class FloatSink : public NumberSink<T> {
 public:
  using NumberSink<T>::NumberSink;

  bool take(ondemand::value& value) {
    double wide = 0;
    if (value.get_double().get(wide) || rounds_twice(wide)) return false;
    const auto narrowed = narrow(wide, T{});
    if (!narrowed) return false;
    this->put(*narrowed);
    return true;
  }

  Status take_unusual(ondemand::value& value) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const std::string_view token = token_of(value);
    if (token == "null" && this->tensor_.nulls != nullptr) this->tensor_.nulls->push_back(this->filled_);
    if (token == "NaN" || token == "null") return store(std::numeric_limits<double>::quiet_NaN());
    if (token == "Infinity") return store(kInfinity);
    if (token == "-Infinity") return store(-kInfinity);
    if (!is_json_number(token)) return this->refuse(token, "a number");
    using Parsed = std::conditional_t<std::is_same_v<T, float>, float, double>;
    const double number{parse_float<Parsed>(token)};
    if (std::isinf(number) || !narrow(number, T{})) return this->refuse(token, "a number within the range");
    return store(number);
  }

 private:
  /// Where the double lies just between two floats, or among the smallest ones, the text itself must be rounded.
  static bool rounds_twice(double wide) noexcept {
    if constexpr (!std::is_same_v<T, float>) return false;
    constexpr std::uint64_t kCut = (std::uint64_t{1} << 29) - 1;
    const bool between = (std::bit_cast<std::uint64_t>(wide) & kCut) == (kCut + 1) / 2;
    return between || (std::fabs(wide) < double{std::numeric_limits<float>::min()} && wide != 0);
  }

  Status store(double value) {
    this->put(*narrow(value, T{}));
    return {};
  }
};

class BoolSink : public NumberSink<std::uint8_t> {
 public:
  using NumberSink::NumberSink;

  bool take(ondemand::value& value) {
    bool truth = false;
    if (value.get_bool().get(truth)) return false;
    put(truth ? 1 : 0);
    return true;
  }

  Status take_unusual(ondemand::value& value) {
    const std::string_view token = token_of(value);
    if (token != "0" && token != "1") return refuse(token, "true, false, 0 or 1");
    put(token == "1" ? 1 : 0);
    return {};
  }
};

class BytesSink : public SinkBase {
 public:
  BytesSink(const JsonText& text, const JsonTensor& tensor) : SinkBase(text, tensor) {
    buffer_.reserve(tensor.count * sizeof(std::uint32_t));
  }

  bool take(ondemand::value& value) {
    std::string_view element;
    error_ = value.get_string().get(element);
    if (error_) return false;
    append_bytes_element(buffer_, element);
    ++filled_;
    return true;
  }

  Status take_unusual(ondemand::value& value) {
    if (error_ != simdjson::INCORRECT_TYPE) return text_.malformed(error_);
    if (token_of(value) != "null" || tensor_.nulls == nullptr) return refuse(token_of(value), "a string");
    tensor_.nulls->push_back(filled_++);
    append_bytes_element(buffer_, {});
    return {};
  }

  [[nodiscard]] Slice finish() && { return std::move(buffer_).share(); }

 private:
  Buffer buffer_;
  simdjson::error_code error_ = simdjson::SUCCESS;
};

/// Walks arrays inside arrays; the recursion is as deep as the shape has dimensions.
template <typename Sink>
class Rows {
 public:
  Rows(const JsonText& text, const JsonTensor& tensor) : text_(text), tensor_(tensor), sink_(text, tensor) {}

  Result<Slice> run(ondemand::array array, bool nested) {
    TRY_STATUS(nested ? rows(array, 0) : elements(array, 0));
    return std::move(sink_).finish();
  }

 private:
  Status rows(ondemand::array array, std::size_t level) {
    const std::size_t expected = static_cast<std::size_t>(tensor_.shape[level]);
    std::size_t& index = at_[level];
    index = 0;
    for (auto item : array) {
      ondemand::value value;
      if (const auto error = item.get(value)) return text_.malformed(error);
      if (index == expected) return wrong_count(level, expected, "more than ", expected);
      ondemand::array row;
      if (value.get_array().get(row)) return no_row(level, value);
      TRY_STATUS(level + 2 == tensor_.shape.size() ? elements(row, level + 1) : rows(row, level + 1));
      ++index;
    }
    return index == expected ? Status{} : wrong_count(level, index, "", expected);
  }

  /// `level`: 0 for flat data, whose length is the whole tensor's.
  Status elements(ondemand::array array, std::size_t level) {
    const std::size_t expected = level == 0 ? tensor_.count : static_cast<std::size_t>(tensor_.shape[level]);
    const std::size_t first = sink_.filled();
    for (auto item : array) {
      ondemand::value value;
      if (const auto error = item.get(value)) [[unlikely]]
        return text_.malformed(error);
      if (sink_.filled() - first == expected) [[unlikely]]
        return wrong_count(level, expected, "more than ", expected);
      if (!sink_.take(value)) [[unlikely]]
        TRY_STATUS(sink_.take_unusual(value));
    }
    const std::size_t found = sink_.filled() - first;
    return found == expected ? Status{} : wrong_count(level, found, "", expected);
  }

  [[nodiscard]] std::string path(std::size_t levels) const {
    std::string out = "data";
    for (std::size_t i = 0; i < levels; ++i) out += fmt::format("[{}]", at_[i]);
    return out;
  }

  Status wrong_count(std::size_t level, std::size_t found, std::string_view more, std::size_t expected) const {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: {} has {}{} elements, expected {} for shape {}", tensor_.place.text(), path(level),
                            more, found, expected, format_shape(tensor_.shape)));
  }

  Status no_row(std::size_t level, ondemand::value value) const {
    return sink_.unexpected(token_of(value), fmt::format("{} is", path(level + 1)),
                            fmt::format("an array for shape {}", format_shape(tensor_.shape)));
  }

  const JsonText& text_;
  const JsonTensor& tensor_;
  Sink sink_;
  std::array<std::size_t, kRankMax> at_{};
};

template <typename Sink>
Result<Slice> read_as(const JsonText& text, ondemand::array array, const JsonTensor& tensor, bool nested) {
  return Rows<Sink>(text, tensor).run(array, nested);
}

Result<Slice> read_array(const JsonText& text, ondemand::array array, const JsonTensor& tensor, bool nested) {
  switch (tensor.type) {
    case DataType::kBool: return read_as<BoolSink>(text, array, tensor, nested);
    case DataType::kUint8: return read_as<IntegerSink<std::uint8_t>>(text, array, tensor, nested);
    case DataType::kUint16: return read_as<IntegerSink<std::uint16_t>>(text, array, tensor, nested);
    case DataType::kUint32: return read_as<IntegerSink<std::uint32_t>>(text, array, tensor, nested);
    case DataType::kUint64: return read_as<IntegerSink<std::uint64_t>>(text, array, tensor, nested);
    case DataType::kInt8: return read_as<IntegerSink<std::int8_t>>(text, array, tensor, nested);
    case DataType::kInt16: return read_as<IntegerSink<std::int16_t>>(text, array, tensor, nested);
    case DataType::kInt32: return read_as<IntegerSink<std::int32_t>>(text, array, tensor, nested);
    case DataType::kInt64: return read_as<IntegerSink<std::int64_t>>(text, array, tensor, nested);
    case DataType::kFp16: return read_as<FloatSink<Half>>(text, array, tensor, nested);
    case DataType::kBf16: return read_as<FloatSink<Bfloat16>>(text, array, tensor, nested);
    case DataType::kFp32: return read_as<FloatSink<float>>(text, array, tensor, nested);
    case DataType::kFp64: return read_as<FloatSink<double>>(text, array, tensor, nested);
    case DataType::kBytes: return read_as<BytesSink>(text, array, tensor, nested);
  }
  return fail(Code::kInternal, "unknown data type");
}

/// A scalar's bare value becomes an array of one, so that there is one way to read elements.
Result<Slice> read_bare(const JsonText& text, std::string_view token, const JsonTensor& tensor) {
  if (!tensor.shape.empty() || token.starts_with('{')) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: data is {}, expected an array", tensor.place.text(), describe_json(token)));
  }
  if (!is_json_token(token)) return text.malformed(simdjson::TAPE_ERROR);
  const std::string array = fmt::format("[{}]", token);
  const PaddedJson padded(array, 0);
  return read_json_tensor(text, padded.text(), tensor);
}

}  // namespace

Result<Slice> read_json_tensor(const JsonText& text, ondemand::value value, const JsonTensor& tensor) {
  const std::string_view token = value.raw_json_token();
  ondemand::array array;
  if (value.get_array().get(array)) return read_bare(text, token_of(value), tensor);
  // The token ends where the next one starts: at the first element.
  const bool nested = token.data()[token.size()] == '[' && tensor.shape.size() > 1;
  return read_array(text, array, tensor, nested);
}

Result<Slice> read_json_tensor(const JsonText& text, std::string_view raw, const JsonTensor& tensor) {
  if (!raw.starts_with('[')) return read_bare(text, raw, tensor);
  ParserLease parser(ParserLease::Use::kInner);
  ondemand::document document;
  const simdjson::padded_string_view view(raw, raw.size() + kBufferPadding);
  if (const auto error = parser->iterate(view).get(document)) {
    return text.malformed(error);
  }
  ondemand::array array;
  if (const auto error = document.get_array().get(array)) return text.malformed(error);
  const std::size_t first = raw.find_first_not_of(" \n\r\t", 1);
  const bool nested = first != std::string_view::npos && raw[first] == '[' && tensor.shape.size() > 1;
  return read_array(text, array, tensor, nested);
}

}  // namespace protean
