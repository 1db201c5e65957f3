// SPDX-License-Identifier: Apache-2.0
// protobuf reads the message; what is there is copied feature by feature behind what earlier Examples had.
#include "tensorflow/example_decoder.h"

#include <fmt/format.h>

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "proto/tensorflow.pb.h"

namespace protean {
namespace {

namespace tf = tensorflow;

/// A text in an answer: of a broken Example a piece is enough.
constexpr std::size_t kShownMax = 256;

tf::DataType type_of(const tf::Feature& feature) noexcept {
  switch (feature.kind_case()) {
    case tf::Feature::kBytesList: return tf::DT_STRING;
    case tf::Feature::kFloatList: return tf::DT_FLOAT;
    case tf::Feature::kInt64List: return tf::DT_INT64;
    default: return tf::DT_INVALID;
  }
}

/// As TensorFlow's messages name the types that features have.
std::string_view word_for(tf::DataType dtype) noexcept {
  if (dtype == tf::DT_STRING) return "string";
  return dtype == tf::DT_FLOAT ? "float" : "int64";
}

std::size_t size_of(const tf::Feature& feature) noexcept {
  return static_cast<std::size_t>(feature.bytes_list().value_size() + feature.float_list().value_size() +
                                  feature.int64_list().value_size());
}

void append_values(Buffer& data, const tf::Feature& feature) {
  for (const auto& text : feature.bytes_list().value()) append_bytes_element(data, text);
  const auto& floats = feature.float_list().value();
  data.append(floats.data(), static_cast<std::size_t>(floats.size()) * sizeof(float));
  const auto& integers = feature.int64_list().value();
  data.append(integers.data(), static_cast<std::size_t>(integers.size()) * sizeof(std::int64_t));
}

void append_values(Buffer& data, const Literal& literal) {
  for (const auto& text : literal.strings) append_bytes_element(data, text);
  data.append(literal.bytes);
}

/// `Name: <unknown>, Key: x, Index: 3.  ` of a batch, `Key: x.  ` of a single Example.
struct Place {
  bool single = false;
  std::size_t index = 0;

  [[nodiscard]] std::string of(const ParsedFeature& feature) const {
    if (single) return fmt::format("Key: {}.  ", printable(feature.key));
    return fmt::format("Name: <unknown>, Key: {}, Index: {}.  ", printable(feature.key), index);
  }
};

/// The values of one feature of all Examples.
class FeatureColumn {
 public:
  explicit FeatureColumn(const ParsedFeature& feature, std::size_t count)
      : feature_(feature), count_(count), type_(word_for(feature.dtype)) {}

  Status add(const tf::Feature& feature, const Place& place) {
    const auto type = type_of(feature);
    if (type != feature_.dtype) {
      return fail(Code::kInvalidArgument, fmt::format("{}Data types don't match. Data type: {} but expected type: {}",
                                                      place.of(feature_), word_for(type), type_));
    }
    if (size_of(feature) != count_) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{}Number of {} values != expected.  Values size: {} but output shape: {}",
                              place.of(feature_), type_, size_of(feature), format_shape(feature_.shape)));
    }
    append_values(data_, feature);
    ++rows_;
    return {};
  }

  /// After the Example at `place`: a row for it where it has no such feature.
  Status close_row(const Place& place) {
    if (has_row(place)) return {};
    if (!feature_.otherwise) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{}Feature: {} (data type: {}) is required but could not be found.",
                              place.single ? "" : "Name: <unknown>, ", printable(feature_.key), type_));
    }
    append_values(data_, *feature_.otherwise);
    ++rows_;
    return {};
  }

  [[nodiscard]] bool has_row(const Place& place) const noexcept { return rows_ > place.index; }
  [[nodiscard]] const std::string& key() const noexcept { return feature_.key; }
  [[nodiscard]] std::size_t bytes() const noexcept { return data_.size(); }

  Tensor finish(const Shape& examples) && {
    Tensor tensor{feature_type(feature_.dtype).value_or(DataType::kFp32), examples, std::move(data_).share()};
    tensor.shape.insert(tensor.shape.end(), feature_.shape.begin(), feature_.shape.end());
    return tensor;
  }

 private:
  const ParsedFeature& feature_;
  const std::size_t count_;
  const std::string_view type_;
  std::size_t rows_ = 0;
  Buffer data_;
};

/// All features that are asked for.
class Columns {
 public:
  Status add(const ParsedFeature& feature) {
    TRY(const auto count, element_count(feature.shape));
    columns_.emplace_back(feature, count);
    by_key_.emplace(columns_.back().key(), &columns_.back());
    return {};
  }

  /// Of entries with one name the last that has values counts.
  Status add_row(const tf::ExampleEntries& example, const Place& place) {
    const auto& entries = example.features().feature();
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
      if (type_of(entry->value()) == tf::DT_INVALID) continue;
      const auto [first, last] = by_key_.equal_range(entry->name());
      for (auto column = first; column != last; ++column) {
        if (!column->second->has_row(place)) TRY_STATUS(column->second->add(entry->value(), place));
      }
    }
    std::size_t bytes = 0;
    for (auto& column : columns_) {
      TRY_STATUS(column.close_row(place));
      bytes += column.bytes();
    }
    if (bytes <= kLiteralBytesMax) return {};
    return fail(Code::kResourceExhausted, "the features of these Examples are larger than 2 GiB");
  }

  std::vector<Tensor> finish(const Shape& examples) && {
    std::vector<Tensor> tensors;
    for (auto& column : columns_) tensors.push_back(std::move(column).finish(examples));
    return tensors;
  }

 private:
  std::list<FeatureColumn> columns_;
  std::unordered_multimap<std::string_view, FeatureColumn*> by_key_;
};

}  // namespace

Result<std::vector<Tensor>> decode_examples(std::span<const ParsedFeature* const> features, const Tensor& examples) {
  Columns columns;
  for (const auto* feature : features) {
    if (examples.shape.size() != (feature->single ? 0U : 1U)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("Expected serialized to be a {}, got shape: {}", feature->single ? "scalar" : "vector",
                              format_shape(examples.shape)));
    }
    TRY_STATUS(columns.add(*feature));
  }
  tf::ExampleEntries example;
  BytesReader reader(examples.data.bytes);
  for (Place place{examples.shape.empty(), 0}; !reader.done(); ++place.index) {
    const auto text = reader.next();
    if (text.size() > kLiteralBytesMax || !example.ParseFromArray(text.data(), static_cast<int>(text.size()))) {
      return fail(Code::kInvalidArgument,
                  fmt::format("Could not parse example input, value: '{}'", printable(text, kShownMax)));
    }
    TRY_STATUS(columns.add_row(example, place));
  }
  return std::move(columns).finish(examples.shape);
}

}  // namespace protean
