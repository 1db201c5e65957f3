// SPDX-License-Identifier: Apache-2.0
// Tensors are walked from the outermost dimension inwards; the innermost one is a loop over elements.
#include "protocols/tensorflow_serving/json_response.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <type_traits>

#include "protocols/tensorflow_serving/base64.h"
#include "protocols/tensorflow_serving/float_text.h"
#include "protocols/tensorflow_serving/pretty_writer.h"
#include "protocols/tensorflow_serving/tensor_type.h"

namespace protean::tfserving {
namespace {

constexpr std::size_t kElementTextMax = kFloatTextMax;

template <typename T>
char* write_element(char* out, T value) noexcept {
  if constexpr (std::is_same_v<T, float>) {
    return write_float(out, value);
  } else if constexpr (std::is_same_v<T, double>) {
    return write_double(out, value);
  } else if constexpr (std::is_same_v<T, bool>) {
    const std::string_view text = value ? "true" : "false";
    std::memcpy(out, text.data(), text.size());
    return out + text.size();
  } else {
    return std::to_chars(out, out + kElementTextMax, value).ptr;
  }
}

/// What stands between the elements of one list, known once for all of them.
class Separator {
 public:
  explicit Separator(const PrettyWriter& out) : out_(out), size_(out.separator_size()) {
    if (size_ <= kCopied) out.write_separator(text_.data());
  }

  /// What write() may write at most, used or not.
  [[nodiscard]] std::size_t room() const noexcept { return std::max(size_, kCopied); }

  char* write(char* out) const noexcept {
    if (size_ > kCopied) return out_.write_separator(out);
    std::memcpy(out, text_.data(), kCopied);
    return out + size_;
  }

 private:
  static constexpr std::size_t kCopied = 16;

  const PrettyWriter& out_;
  const std::size_t size_;
  std::array<char, kCopied> text_{};
};

/// Writes one tensor, all of it or row after row.
class TensorWriter {
 public:
  TensorWriter(const InferOutput& output, PrettyWriter& out)
      : tensor_(output.tensor),
        out_(out),
        as_bytes_(output.name.ends_with("_bytes")),
        texts_(output.tensor.data.bytes) {}

  /// The elements below dimension `level`, from where the last call ended.
  Status write(std::size_t level) {
    switch (tensor_.type) {
      case DataType::kFp32: return walk<float>(level);
      case DataType::kFp64: return walk<double>(level);
      case DataType::kInt8: return walk<std::int8_t>(level);
      case DataType::kInt16: return walk<std::int16_t>(level);
      case DataType::kInt32: return walk<std::int32_t>(level);
      case DataType::kInt64: return walk<std::int64_t>(level);
      case DataType::kUint8: return walk<std::uint8_t>(level);
      case DataType::kUint32: return walk<std::uint32_t>(level);
      case DataType::kUint64: return walk<std::uint64_t>(level);
      case DataType::kBool: return walk<bool>(level);
      case DataType::kBytes: return walk<std::string_view>(level);
      default: return walk<void>(level);
    }
  }

 private:
  template <typename T>
  Status walk(std::size_t level) {
    if (level >= tensor_.shape.size()) return single<T>();
    out_.begin_array();
    const auto size = static_cast<std::size_t>(tensor_.shape[level]);
    if (level + 1 == tensor_.shape.size()) {
      TRY_STATUS(elements<T>(size));
    } else {
      for (std::size_t i = 0; i < size; ++i) {
        out_.separate();
        TRY_STATUS(walk<T>(level + 1));
      }
    }
    out_.end_array();
    return {};
  }

  tl::unexpected<Error> not_writable() const {
    return fail(Code::kInvalidArgument,
                fmt::format("Failed to write JSON value for tensor type: {}", tensor_type_name(tensor_.type)));
  }

  template <typename T>
  Status single() {
    if constexpr (std::is_void_v<T>) {
      return not_writable();
    } else if constexpr (std::is_same_v<T, std::string_view>) {
      return text();
    } else {
      out_.written(write_element(out_.room(kElementTextMax), next<T>()));
      return {};
    }
  }

  template <typename T>
  Status elements(std::size_t size) {
    if constexpr (std::is_void_v<T> || std::is_same_v<T, std::string_view>) {
      for (std::size_t i = 0; i < size; ++i) {
        out_.separate();
        TRY_STATUS(single<T>());
      }
    } else {
      constexpr std::size_t kAtOnce = 256;
      const Separator separator(out_);
      for (std::size_t done = 0; done < size;) {
        out_.separate();
        const std::size_t end = std::min(size, done + kAtOnce);
        char* at = out_.room((end - done) * (kElementTextMax + separator.room()));
        at = write_element(at, next<T>());
        for (++done; done < end; ++done) at = write_element(separator.write(at), next<T>());
        out_.written(at);
      }
    }
    return {};
  }

  Status text() {
    if (texts_.done()) return fail(Code::kInternal, "an output has fewer elements than its shape says");
    const std::string_view value = texts_.next();
    if (!as_bytes_) {
      out_.text(value);
      return {};
    }
    std::string coded;
    append_base64(coded, value);
    out_.begin_object();
    out_.key("b64");
    out_.text(coded);
    out_.end_object();
    return {};
  }

  template <typename T>
  T next() noexcept {
    T value{};
    if (tensor_.data.size() - at_ < sizeof(T)) return value;
    std::memcpy(&value, tensor_.data.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  const Tensor& tensor_;
  PrettyWriter& out_;
  const bool as_bytes_;
  BytesReader texts_;
  std::size_t at_ = 0;
};

Response json_of(PrettyWriter out) { return make_response(200, "application/json", std::move(out).finish()); }

/// The size of the first dimension, which all outputs must share.
Result<std::size_t> row_count(const InferResult& result) {
  std::int64_t rows = -1;
  for (const auto& output : result.outputs) {
    const Shape& shape = output.tensor.shape;
    if (shape.empty()) {
      return fail(Code::kInvalidArgument, fmt::format("Tensor name: {} has no shape information ", output.name));
    }
    if (rows >= 0 && shape.front() != rows) {
      return fail(Code::kInvalidArgument, fmt::format("Tensor name: {} has inconsistent batch size: {} expecting: {}",
                                                      output.name, shape.front(), rows));
    }
    rows = shape.front();
  }
  return static_cast<std::size_t>(rows);
}

/// Room for most replies at once: text that grows by doubling is copied and touches new memory twice, which took 10 of
/// 40 ns a float.
void make_room(const InferResult& result, PrettyWriter& out) {
  constexpr std::size_t kTextOfByte = 4;  // `-0.123456789, ` is four bytes' text
  std::size_t bytes = 256;
  for (const auto& output : result.outputs) {
    const Tensor& tensor = output.tensor;
    bytes += tensor.type == DataType::kBytes ? tensor.data.size() : tensor.data.size() * kTextOfByte;
  }
  out.room(bytes);
}

Result<Response> encode_rows(const InferResult& result) {
  TRY(const std::size_t rows, row_count(result));
  PrettyWriter out;
  make_room(result, out);
  std::vector<TensorWriter> tensors;
  for (const auto& output : result.outputs) tensors.emplace_back(output, out);
  out.begin_object();
  out.key("predictions");
  out.begin_array();
  for (std::size_t row = 0; row < rows; ++row) {
    out.one_line(tensors.size() == 1);
    out.separate();
    out.one_line(true);
    if (tensors.size() > 1) out.begin_object();
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (tensors.size() > 1) out.key(result.outputs[i].name);
      TRY_STATUS(tensors[i].write(1));
    }
    if (tensors.size() > 1) out.end_object();
  }
  out.one_line(false);
  out.end_array();
  out.end_object();
  return json_of(std::move(out));
}

Result<Response> encode_columns(const InferResult& result) {
  PrettyWriter out;
  make_room(result, out);
  out.begin_object();
  out.key("outputs");
  const bool several = result.outputs.size() > 1;
  if (several) out.begin_object();
  for (const auto& output : result.outputs) {
    if (several) out.key(output.name);
    TRY_STATUS(TensorWriter(output, out).write(0));
  }
  if (several) out.end_object();
  out.end_object();
  return json_of(std::move(out));
}

}  // namespace

Result<Response> encode_json_predict(const InferResult& result, bool rows) {
  if (result.outputs.empty()) return fail(Code::kInvalidArgument, "Cannot convert empty tensor map to JSON");
  return rows ? encode_rows(result) : encode_columns(result);
}

Result<Response> encode_json_classes(const Classes& classes) {
  if (classes.empty()) return fail(Code::kInvalidArgument, "Cannot convert empty ClassificationResults to JSON");
  PrettyWriter out;
  out.begin_object();
  out.key("results");
  out.begin_array();
  out.one_line(true);
  for (const auto& example : classes) {
    out.separate();
    out.begin_array();
    for (const auto& [label, score] : example) {
      out.separate();
      out.begin_array();
      out.separate();
      out.text(label);
      out.separate();
      out.written(write_float(out.room(kFloatTextMax), score));
      out.end_array();
    }
    out.end_array();
  }
  out.one_line(false);
  out.end_array();
  out.end_object();
  return json_of(std::move(out));
}

Result<Response> encode_json_regressions(const std::vector<float>& values) {
  if (values.empty()) return fail(Code::kInvalidArgument, "Cannot convert empty RegressionResults to JSON");
  PrettyWriter out;
  out.begin_object();
  out.key("results");
  out.one_line(true);
  out.begin_array();
  for (const float value : values) {
    out.separate();
    out.written(write_float(out.room(kFloatTextMax), value));
  }
  out.end_array();
  out.end_object();
  return json_of(std::move(out));
}

}  // namespace protean::tfserving
