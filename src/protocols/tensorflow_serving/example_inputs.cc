// SPDX-License-Identifier: Apache-2.0
// Features of one name become one tensor, a row an example.
#include "protocols/tensorflow_serving/example_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "base/checked_math.h"
#include "base/text.h"
#include "core/number.h"
#include "proto/tensorflow.pb.h"

namespace protean::tfserving {
namespace {

using Features = google::protobuf::Map<std::string, tensorflow::Feature>;
using Examples = std::vector<tensorflow::Example>;

Result<Examples> parse(const ExampleList& list) {
  Examples examples(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!examples[i].ParseFromString(list[i])) {
      return fail(Code::kInvalidArgument, fmt::format("Could not parse example input, example {}", i));
    }
  }
  return examples;
}

/// nullptr when the example has no such feature, or an empty one.
const tensorflow::Feature* find_feature(const tensorflow::Example& example, const std::string& name) {
  const Features& features = example.features().feature();
  const auto found = features.find(name);
  return found == features.end() || found->second.kind_case() == tensorflow::Feature::KIND_NOT_SET ? nullptr
                                                                                                   : &found->second;
}

std::size_t size_of(const tensorflow::Feature& feature) noexcept {
  return static_cast<std::size_t>(feature.bytes_list().value_size() + feature.float_list().value_size() +
                                  feature.int64_list().value_size());
}

bool is_text(const tensorflow::Feature& feature) noexcept { return feature.has_bytes_list(); }

/// Requires a feature of numbers.
long double number_at(const tensorflow::Feature& feature, int i) {
  if (feature.has_float_list()) return feature.float_list().value(i);
  return static_cast<long double>(feature.int64_list().value(i));
}

tl::unexpected<Error> wrong_feature(std::size_t example, std::string_view name, std::string_view what) {
  return fail(Code::kInvalidArgument, fmt::format("example {}: feature '{}': {}", example, printable(name), what));
}

/// Appends one feature's values as elements of `type`.
Status append_values(const tensorflow::Feature& feature, DataType type, Buffer& out) {
  if (is_text(feature) != (type == DataType::kBytes)) {
    return fail(Code::kInvalidArgument, fmt::format("values of another type than {}", data_type_name(type)));
  }
  for (const auto& text : feature.bytes_list().value()) append_bytes_element(out, text);
  if (is_text(feature)) return {};
  const std::size_t size = element_size(type);
  for (int i = 0; i < static_cast<int>(size_of(feature)); ++i) {
    out.resize(out.size() + size);
    if (!write_number(type, number_at(feature, i), out.data() + out.size() - size)) {
      return fail(Code::kInvalidArgument, fmt::format("a value that is no {}", data_type_name(type)));
    }
  }
  return {};
}

/// A column [examples]; a feature that is not there is a missing value.
Result<InferInput> make_column(const Examples& examples, const Column& column) {
  const bool text = std::ranges::any_of(examples, [&](const auto& example) {
    const auto* feature = find_feature(example, column.name);
    return feature != nullptr && is_text(*feature);
  });
  InferInput input;
  input.name = column.name;
  input.untyped = true;
  input.tensor.type = text ? DataType::kBytes : DataType::kFp64;
  input.tensor.shape = {static_cast<std::int64_t>(examples.size())};
  Buffer data;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const auto* feature = find_feature(examples[i], column.name);
    if (feature == nullptr || size_of(*feature) == 0) {
      input.nulls.push_back(i);
      constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
      text ? append_bytes_element(data, {}) : data.append(&kMissing, sizeof kMissing);
      continue;
    }
    if (size_of(*feature) != 1) {
      return wrong_feature(i, column.name, fmt::format("{} values, expected 1", size_of(*feature)));
    }
    auto status = append_values(*feature, input.tensor.type, data);
    if (!status) return wrong_feature(i, column.name, status.error().message);
  }
  input.tensor.data = std::move(data).share();
  return input;
}

/// The shape of one example's part of an input: what follows the first dimension, with one -1 filled in.
Result<Shape> row_shape(const TensorSpec& spec, std::size_t values) {
  Shape shape = spec.shape.empty() ? Shape{} : Shape(spec.shape.begin() + 1, spec.shape.end());
  std::size_t known = 1;
  std::int64_t* open = nullptr;
  for (auto& size : shape) {
    if (size < 0 && open == nullptr) {
      open = &size;
    } else {
      known = checked_mul(known, static_cast<std::size_t>(std::max<std::int64_t>(size, 1))).value_or(0);
    }
  }
  if (known == 0 || values % known != 0 || (open == nullptr && values != known)) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} values, expected those of shape {}", values, format_shape(spec.shape)));
  }
  if (open != nullptr) *open = static_cast<std::int64_t>(values / known);
  return shape;
}

Result<InferInput> make_input(const Examples& examples, const TensorSpec& spec) {
  InferInput input;
  input.name = spec.name;
  input.tensor.type = spec.type;
  Buffer data;
  std::size_t values = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const auto* feature = find_feature(examples[i], spec.name);
    if (feature == nullptr) return wrong_feature(i, spec.name, "is not there, but is an input of the model");
    if (i > 0 && size_of(*feature) != values) {
      return wrong_feature(i, spec.name,
                           fmt::format("{} values, expected {} as in example 0", size_of(*feature), values));
    }
    values = size_of(*feature);
    auto status = append_values(*feature, spec.type, data);
    if (!status) return wrong_feature(i, spec.name, status.error().message);
  }
  auto shape = row_shape(spec, values);
  if (!shape) return wrong_feature(0, spec.name, shape.error().message);
  input.tensor.shape = *std::move(shape);
  input.tensor.shape.insert(input.tensor.shape.begin(), static_cast<std::int64_t>(examples.size()));
  input.tensor.data = std::move(data).share();
  return input;
}

}  // namespace

bool takes_examples(const Signature& signature) noexcept {
  return signature.inputs.size() == 1 && signature.inputs.front().name == "inputs" &&
         signature.inputs.front().type == DataType::kBytes;
}

Status bind_examples(const ExampleList& list, const Signature& signature, InferRequest& request) {
  request.inputs.clear();
  if (takes_examples(signature)) {
    Buffer data;
    for (const auto& example : list) append_bytes_element(data, example);
    InferInput input;
    input.name = "inputs";
    input.tensor = {DataType::kBytes, {static_cast<std::int64_t>(list.size())}, std::move(data).share()};
    request.inputs.push_back(std::move(input));
    return {};
  }
  TRY(const Examples examples, parse(list));
  for (const auto& column : signature.columns) {
    TRY(InferInput input, make_column(examples, column));
    if (input.nulls.size() < examples.size()) request.inputs.push_back(std::move(input));
  }
  if (!signature.columns.empty()) return {};
  for (const auto& spec : signature.inputs) {
    const bool left_out = spec.optional && find_feature(examples.front(), spec.name) == nullptr;
    if (left_out) continue;
    TRY(InferInput input, make_input(examples, spec));
    request.inputs.push_back(std::move(input));
  }
  return {};
}

}  // namespace protean::tfserving
