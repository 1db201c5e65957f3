// SPDX-License-Identifier: Apache-2.0
// The checks of check_request.h, one function a rule.
#include "serving/check_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace protean {
namespace {

std::string names(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const auto& spec : specs) text += fmt::format("{}'{}'", text.empty() ? "" : ", ", spec.name);
  return text;
}

std::size_t find_spec(const std::vector<TensorSpec>& specs, std::string_view name) {
  const auto found = std::find_if(specs.begin(), specs.end(), [&](const auto& spec) { return spec.name == name; });
  return static_cast<std::size_t>(found - specs.begin());
}

bool shape_fits(const Shape& shape, const TensorSpec& spec) {
  if (spec.any_rank) return true;
  return std::equal(shape.begin(), shape.end(), spec.shape.begin(), spec.shape.end(),
                    [](std::int64_t found, std::int64_t expected) { return expected < 0 || found == expected; });
}

Status check_input(const InferInput& input, const TensorSpec& spec, std::string_view label) {
  const Tensor& tensor = input.tensor;
  if (tensor.type != spec.type) {
    return fail(Code::kInvalidArgument, fmt::format("input '{}': datatype {}, expected {} ({})", spec.name,
                                                    data_type_name(tensor.type), data_type_name(spec.type), label));
  }
  if (!spec.any_shape && !shape_fits(tensor.shape, spec)) {
    return fail(Code::kInvalidArgument, fmt::format("input '{}': shape {}, expected {} ({})", spec.name,
                                                    format_shape(tensor.shape), format_shape(spec.shape), label));
  }
  if (auto status = check_data(tensor, spec.name); !status) {
    return fail(status.error().code, fmt::format("input {} ({})", status.error().message, label));
  }
  return {};
}

Status check_missing(const CheckedRequest& checked, const Signature& signature, std::string_view label) {
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    const auto& spec = signature.inputs[i];
    if (checked.inputs[i] != nullptr || spec.optional) continue;
    return fail(Code::kInvalidArgument, fmt::format("input '{}' is missing: expected {} {} ({})", spec.name,
                                                    data_type_name(spec.type), format_shape(spec.shape), label));
  }
  return {};
}

Result<std::vector<std::size_t>> choose_outputs(const InferRequest& request, const Signature& signature,
                                                std::string_view label) {
  if (request.outputs.empty()) return usual_outputs(signature);
  std::vector<std::size_t> chosen;
  chosen.reserve(request.outputs.size());
  for (const auto& wanted : request.outputs) {
    const std::size_t index = find_spec(signature.outputs, wanted.name);
    if (index == signature.outputs.size()) {
      return fail(Code::kInvalidArgument, fmt::format("unknown output '{}': the model has {} ({})",
                                                      printable(wanted.name), names(signature.outputs), label));
    }
    if (std::find(chosen.begin(), chosen.end(), index) != chosen.end()) {
      return fail(Code::kInvalidArgument, fmt::format("output '{}' is requested twice ({})", wanted.name, label));
    }
    chosen.push_back(index);
  }
  return chosen;
}

}  // namespace

std::vector<std::size_t> usual_outputs(const Signature& signature) {
  std::vector<std::size_t> usual;
  usual.reserve(signature.outputs.size());
  for (std::size_t i = 0; i < signature.outputs.size(); ++i) {
    if (!signature.outputs[i].on_request) usual.push_back(i);
  }
  return usual;
}

Result<CheckedRequest> check_request(const InferRequest& request, const Signature& signature, std::string_view label) {
  CheckedRequest checked;
  checked.inputs.resize(signature.inputs.size(), nullptr);
  for (const auto& input : request.inputs) {
    const std::size_t index = find_spec(signature.inputs, input.name);
    if (index == signature.inputs.size()) {
      return fail(Code::kInvalidArgument, fmt::format("unknown input '{}': the model has {} ({})",
                                                      printable(input.name), names(signature.inputs), label));
    }
    if (checked.inputs[index] != nullptr) {
      return fail(Code::kInvalidArgument, fmt::format("input '{}' is given twice ({})", input.name, label));
    }
    TRY_STATUS(check_input(input, signature.inputs[index], label));
    checked.inputs[index] = &input.tensor;
    checked.usual_shapes &= shape_fits(input.tensor.shape, signature.inputs[index]);
    checked.input_bytes += input.tensor.data.size();
  }
  TRY_STATUS(check_missing(checked, signature, label));
  if (!request.inputs.empty() && !request.inputs.front().tensor.shape.empty()) {
    checked.rows = static_cast<std::uint64_t>(request.inputs.front().tensor.shape.front());
  }
  TRY(checked.outputs, choose_outputs(request, signature, label));
  return checked;
}

}  // namespace protean
