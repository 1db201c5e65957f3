// SPDX-License-Identifier: Apache-2.0
// The choice is made from the signature, so that an answer never depends on the values.
#include "protocols/tensorflow_serving/example_results.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "core/number.h"
#include "protocols/tensorflow_serving/example_inputs.h"
#include "protocols/tensorflow_serving/tensor_type.h"

namespace protean::tfserving {
namespace {

constexpr std::string_view kRole = "role";
constexpr std::string_view kScores = "scores";
constexpr std::string_view kClasses = "classes";
constexpr std::string_view kLabels = "class_labels";

const TensorSpec* find_output(const Signature& signature, std::string_view name) {
  const auto found = std::ranges::find(signature.outputs, name, &TensorSpec::name);
  return found == signature.outputs.end() ? nullptr : &*found;
}

/// The only output that fits, of those that models give without being asked; nullptr for none or several.
template <typename Fits>
const TensorSpec* only_output(const Signature& signature, Fits fits) {
  const TensorSpec* only = nullptr;
  for (const auto& spec : signature.outputs) {
    if (!fits(spec) || (spec.on_request && find_parameter(spec.parameters, kLabels) == nullptr)) continue;
    if (only != nullptr) return nullptr;
    only = &spec;
  }
  return only;
}

bool is_score(const TensorSpec& spec) noexcept {
  return is_float(spec.type) && (spec.any_rank || spec.shape.size() <= 2);
}

/// One that cannot be run says itself why not when it is.
bool is_declared_only(const Signature& signature) noexcept {
  return signature.inputs.empty() && signature.outputs.empty();
}

void ask(InferRequest& request, const TensorSpec& spec, std::string_view role) {
  RequestedOutput output{spec.name, {{std::string(kRole), std::string(role)}}};
  if (const auto* labels = find_parameter(spec.parameters, kLabels)) output.parameters.emplace_back(kLabels, *labels);
  request.outputs.push_back(std::move(output));
}

Status check_declared(const Signature& signature, bool check, std::string_view kind, std::string_view method) {
  if (!check || signature.method.empty() || signature.method == method) return {};
  return fail(Code::kInvalidArgument,
              fmt::format("Expected {} signature method_name to be {}. Was: {}", kind, method, signature.method));
}

const std::string* text_parameter(const RequestedOutput& output, std::string_view name) {
  const Parameter* found = find_parameter(output.parameters, name);
  return found == nullptr ? nullptr : std::get_if<std::string>(found);
}

/// Rows and columns of a tensor [n] or [n,k].
struct Extent {
  std::size_t rows;
  std::size_t columns;
};

std::optional<Extent> extent_of(const Tensor& tensor) {
  if (tensor.shape.empty() || tensor.shape.size() > 2) return std::nullopt;
  const auto columns = tensor.shape.size() == 2 ? tensor.shape[1] : 1;
  return Extent{static_cast<std::size_t>(tensor.shape[0]), static_cast<std::size_t>(columns)};
}

tl::unexpected<Error> wrong_shape(const Tensor& tensor) {
  return fail(Code::kInvalidArgument,
              fmt::format("Expected Tensor shape: [batch_size num_classes] but got {}", format_shape(tensor.shape)));
}

/// The elements as texts: numbers are written out.
std::vector<std::string> texts_of(const Tensor& tensor, std::size_t count) {
  std::vector<std::string> texts;
  const std::size_t size = element_size(tensor.type);
  BytesReader reader(size == 0 ? tensor.data.bytes : std::span<const std::byte>());
  for (std::size_t i = 0; i < count; ++i) {
    texts.push_back(size == 0 ? std::string(reader.next())
                              : format_number(read_number(tensor.type, tensor.data.data() + i * size)));
  }
  return texts;
}

float float_at(const Tensor& tensor, std::size_t i) {
  return static_cast<float>(read_number(tensor.type, tensor.data.data() + i * element_size(tensor.type)));
}

/// What the outputs of one reply are, by their roles.
struct ClassOutputs {
  const Tensor* scores = nullptr;
  const Tensor* classes = nullptr;
  std::vector<std::string> labels;  // of the columns of `scores`
};

ClassOutputs find_roles(const InferRequest& request, const InferResult& result) {
  ClassOutputs out;
  for (const auto& output : result.outputs) {
    const auto asked = std::ranges::find(request.outputs, output.name, &RequestedOutput::name);
    const std::string* role = asked == request.outputs.end() ? nullptr : text_parameter(*asked, kRole);
    if (role == nullptr) continue;
    (*role == kScores ? out.scores : out.classes) = &output.tensor;
    if (const std::string* labels = text_parameter(*asked, kLabels)) {
      for (const auto label : split(*labels, ',')) out.labels.emplace_back(label);
    }
  }
  return out;
}

}  // namespace

Status choose_class_outputs(const Signature& signature, bool check_method, InferRequest& request) {
  TRY_STATUS(check_declared(signature, check_method, "classification", kClassifyMethod));
  request.outputs.clear();
  if (is_declared_only(signature)) return {};
  const TensorSpec* scores = find_output(signature, kScores);
  const TensorSpec* classes = find_output(signature, kClasses);
  if (scores == nullptr && classes == nullptr && takes_examples(signature)) {
    return fail(Code::kInvalidArgument,
                R"(Expected classification signature outputs to contain at least one of "classes" or "scores".)");
  }
  if (scores == nullptr && classes == nullptr) {
    scores = only_output(signature, [](const auto& spec) {
      return is_score(spec) && find_parameter(spec.parameters, kLabels) != nullptr;
    });
    if (scores == nullptr) scores = only_output(signature, is_score);
    classes = only_output(signature, [](const auto& spec) { return spec.type == DataType::kBytes; });
    if (classes == nullptr && scores == nullptr) {
      classes = only_output(signature, [](const auto& spec) { return !is_half(spec.type); });
    }
  }
  if (scores != nullptr) ask(request, *scores, kScores);
  if (classes != nullptr) ask(request, *classes, kClasses);
  if (!request.outputs.empty()) return {};
  return fail(Code::kInvalidArgument,
              "Expected one output of numbers that can be the scores of classes, or one that names them");
}

Status choose_regression_output(const Signature& signature, bool check_method, InferRequest& request) {
  TRY_STATUS(check_declared(signature, check_method, "regression", kRegressMethod));
  request.outputs.clear();
  if (is_declared_only(signature)) return {};
  const TensorSpec* output = find_output(signature, "outputs");
  if (output == nullptr && takes_examples(signature)) {
    return fail(Code::kInvalidArgument, R"(No regression outputs found: expected an output "outputs")");
  }
  if (output == nullptr) output = only_output(signature, is_score);
  if (output == nullptr) {
    output =
        only_output(signature, [](const auto& spec) { return spec.type != DataType::kBytes && !is_half(spec.type); });
  }
  if (output == nullptr) {
    return fail(Code::kInvalidArgument, "Expected one output of numbers that can be the regression's value");
  }
  ask(request, *output, "outputs");
  return {};
}

Result<Classes> read_classes(const InferRequest& request, const InferResult& result) {
  const ClassOutputs outputs = find_roles(request, result);
  const Tensor* leading = outputs.scores != nullptr ? outputs.scores : outputs.classes;
  if (leading == nullptr) return fail(Code::kInternal, "a classification without outputs");
  const auto extent = extent_of(*leading);
  if (!extent) return wrong_shape(*leading);
  if (outputs.scores != nullptr && !is_float(outputs.scores->type)) {
    return fail(Code::kInvalidArgument,
                fmt::format("Expected scores Tensor of DT_FLOAT. Got: {}", tensor_type_name(outputs.scores->type)));
  }
  std::vector<std::string> labels;
  if (outputs.classes != nullptr) {
    const auto named = extent_of(*outputs.classes);
    if (!named) return wrong_shape(*outputs.classes);
    const bool same = named->rows == extent->rows && named->columns == extent->columns;
    if (!same && outputs.classes->shape.size() == 2) {
      return fail(Code::kInvalidArgument,
                  fmt::format("Tensors class and score should match in dim_size(1). Got {} vs. {}", named->columns,
                              extent->columns));
    }
    if (same) labels = texts_of(*outputs.classes, named->rows * named->columns);
  }
  Classes classes(extent->rows);
  for (std::size_t i = 0; i < extent->rows * extent->columns; ++i) {
    const std::size_t column = i % extent->columns;
    std::string label = column < outputs.labels.size() ? outputs.labels[column] : i < labels.size() ? labels[i] : "";
    const float score = outputs.scores == nullptr ? 0 : float_at(*outputs.scores, i);
    classes[i / extent->columns].emplace_back(std::move(label), score);
  }
  return classes;
}

Result<std::vector<float>> read_regressions(const InferResult& result) {
  if (result.outputs.empty()) return fail(Code::kInternal, "a regression without outputs");
  const Tensor& tensor = result.outputs.front().tensor;
  const auto extent = extent_of(tensor);
  if (!extent || extent->columns != 1) {
    return fail(Code::kInvalidArgument,
                fmt::format("Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {}",
                            format_shape(tensor.shape)));
  }
  if (tensor.type == DataType::kBytes || is_half(tensor.type)) {
    return fail(Code::kInvalidArgument,
                fmt::format("Expected output Tensor of DT_FLOAT. Got: {}", tensor_type_name(tensor.type)));
  }
  std::vector<float> values;
  for (std::size_t i = 0; i < extent->rows; ++i) values.push_back(float_at(tensor, i));
  return values;
}

}  // namespace protean::tfserving
