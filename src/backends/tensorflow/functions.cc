// SPDX-License-Identifier: Apache-2.0
// A signature is served when every tensor of it has a type that the protocols carry.
#include "backends/tensorflow/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backends/tensorflow/element_type.h"
#include "base/text.h"
#include "tensorflow/literal.h"

namespace protean {
namespace {

constexpr std::string_view kPlatform = "tensorflow_savedmodel";

Result<TensorSpec> describe(const SavedModelTensor& tensor, std::string_view what) {
  if (tensor.node.empty()) {
    return fail(Code::kInvalidArgument, fmt::format("{} '{}' is sparse or composite", what, printable(tensor.key)));
  }
  const auto type = from_tensorflow(tensor.dtype);
  if (!type) {
    return fail(Code::kInvalidArgument, fmt::format("{} '{}' has elements of type {}", what, printable(tensor.key),
                                                    tensorflow_type_name(tensor.dtype)));
  }
  TensorSpec spec;
  spec.name = tensor.key;
  spec.type = *type;
  spec.any_rank = tensor.unknown_rank;
  if (!tensor.unknown_rank) spec.shape = tensor.shape;
  for (auto& dimension : spec.shape) dimension = std::max<std::int64_t>(dimension, -1);
  return spec;
}

Result<Tensor> tensor_of(const tensorflow::TensorProto& proto, const TensorSpec& spec) {
  TRY(const auto literal, read_literal(proto, "default of input '" + printable(spec.name) + "'"));
  if (from_tensorflow(literal.dtype) != spec.type) {
    return fail(Code::kInvalidArgument,
                fmt::format("the default of input '{}' is of another type", printable(spec.name)));
  }
  Tensor tensor{spec.type, literal.shape, {}};
  Buffer bytes;
  for (const auto& text : literal.strings) append_bytes_element(bytes, text);
  bytes.append(literal.bytes);
  tensor.data = std::move(bytes).share();
  return tensor;
}

/// Inputs that have a default may be left out of a request.
Status add_defaults(PlannedFunction& function) {
  tensorflow::SignatureDef signature;
  if (!signature.ParseFromString(function.signature.declared)) return {};
  function.defaults.resize(function.inputs.size());
  for (std::size_t i = 0; i < function.inputs.size(); ++i) {
    auto& spec = function.signature.inputs[i];
    const auto found = signature.defaults().find(spec.name);
    if (found == signature.defaults().end()) continue;
    TRY(function.defaults[i], tensor_of(found->second, spec));
    spec.optional = true;
  }
  return {};
}

PlannedFunction declaration_of(const SavedModelSignature& declared) {
  PlannedFunction function;
  function.signature.platform = kPlatform;
  function.signature.function = declared.name;
  function.signature.method = declared.method_name;
  function.signature.declared = declared.serialized;
  return function;
}

Result<PlannedFunction> plan(const SavedModelSignature& declared) {
  PlannedFunction function = declaration_of(declared);
  if (declared.name == kInitialiser) {
    function.refusal = fmt::format("'{}' was run when the model was loaded", kInitialiser);
    return function;
  }
  for (const auto& tensor : declared.inputs) {
    TRY(auto spec, describe(tensor, "input"));
    spec.any_shape = true;  // the graph refuses what it must
    function.signature.inputs.push_back(std::move(spec));
    function.inputs.push_back(tensor.node);
  }
  for (const auto& tensor : declared.outputs) {
    TRY(auto spec, describe(tensor, "output"));
    function.signature.outputs.push_back(std::move(spec));
    function.outputs.push_back(tensor.node);
  }
  if (function.outputs.empty()) return fail(Code::kInvalidArgument, "it has no outputs");
  TRY_STATUS(add_defaults(function));
  return function;
}

}  // namespace

Result<PlannedFunctions> plan_functions(const SavedModelFacts& facts) {
  PlannedFunctions planned;
  for (const auto& declared : facts.signatures) {
    auto function = plan(declared);
    if (!function) {
      const std::string why =
          fmt::format("signature '{}' cannot be served: {}", printable(declared.name), function.error().message);
      planned.notes.push_back(why);
      function = declaration_of(declared);
      function->refusal = why;
    }
    planned.functions.push_back(*std::move(function));
  }
  auto& functions = planned.functions;
  auto main = std::ranges::find_if(functions,
                                   [](const auto& f) { return f.callable() && f.signature.function == kMainFunction; });
  if (main == functions.end()) main = std::ranges::find_if(functions, &PlannedFunction::callable);
  if (main == functions.end()) {
    return fail(Code::kInvalidArgument,
                fmt::format("saved_model.pb declares no signature that can be served{}{}; export the model with "
                            "signatures, such as Keras's model.export() writes",
                            planned.notes.empty() ? "" : ": ", fmt::join(planned.notes, "; ")));
  }
  std::rotate(functions.begin(), main, main + 1);
  return planned;
}

}  // namespace protean
