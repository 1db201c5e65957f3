// SPDX-License-Identifier: Apache-2.0
// Reading Examples: the ONNX model is cut behind it, so that what is read becomes inputs of the model.
#include <fmt/format.h>

#include <array>

#include "base/text.h"
#include "tensorflow/lowering/lowering.h"
#include "tensorflow/lowering/operation.h"

namespace protean {
namespace {

namespace tf = tensorflow;

/// Keys and defaults of the dense features, in their order.
struct DenseInputs {
  std::vector<std::string> keys;
  std::size_t first_default = 0;
};

bool has_others(const Operation& op) {
  const auto* ragged = op.attribute("ragged_value_types");
  return op.integer("Nsparse") != 0 || op.integer("num_sparse") != 0 ||
         (ragged != nullptr && ragged->list().type_size() != 0);
}

Status add_keys(const Value& value, std::vector<std::string>& keys) {
  if (!value.constant() || value.dtype != tf::DT_STRING)
    return does_not_lower("names of features that are not constant");
  keys.insert(keys.end(), value.literal->strings.begin(), value.literal->strings.end());
  return {};
}

/// ParseExample(serialized, names, sparse_keys.., dense_keys.., dense_defaults..), ParseExampleV2(serialized, names,
/// sparse_keys, dense_keys, ragged_keys, dense_defaults..), ParseSingleExample(serialized, dense_defaults..).
Result<DenseInputs> dense_inputs(const Operation& op) {
  DenseInputs dense;
  if (op.type() == "ParseSingleExample") {
    dense.first_default = 1;
    const auto* keys = op.attribute("dense_keys");
    if (keys != nullptr) dense.keys.assign(keys->list().s().begin(), keys->list().s().end());
    return dense;
  }
  if (op.type() == "ParseExampleV2") {
    TRY_STATUS(add_keys(op.in(3), dense.keys));
    dense.first_default = 5;
    return dense;
  }
  const auto count = static_cast<std::size_t>(op.integer("Ndense"));
  for (std::size_t i = 0; i < count && 2 + i < op.count(); ++i) TRY_STATUS(add_keys(op.in(2 + i), dense.keys));
  dense.first_default = 2 + count;
  return dense;
}

/// nullopt where the graph has none, which it says by one without elements.
Result<std::optional<Literal>> default_of(const Value& value, const ParsedFeature& feature) {
  Literal literal;
  if (value.constant()) {
    literal = *value.literal;
  } else if (const auto integers = value.known_ints()) {
    literal = integer_literal(value.dtype, value.dims.sizes, *integers);
  } else {
    return does_not_lower("a default that is not constant");
  }
  if (literal.elements() == 0) return std::nullopt;
  if (literal.dtype != feature.dtype || literal.shape != feature.shape) {
    return does_not_lower(fmt::format("the default of feature '{}' has another type or shape", printable(feature.key)));
  }
  return literal;
}

Result<ParsedFeature> feature_of(const Operation& op, const DenseInputs& dense, std::size_t index) {
  const auto at = static_cast<int>(index);
  const auto& types = op.attribute("Tdense")->list();
  const auto& shapes = op.attribute("dense_shapes")->list();
  ParsedFeature feature;
  feature.input = op.in(0).name;
  feature.key = dense.keys[index];
  feature.dtype = types.type(at);
  feature.shape = shape_of(shapes.shape(at));
  if (shapes.shape(at).unknown_rank() || !Dims::of(feature.shape).known()) {
    return does_not_lower(fmt::format("feature '{}' has any number of values", printable(feature.key)));
  }
  if (!feature_type(feature.dtype)) return does_not_lower("a feature of " + dtype_name(feature.dtype));
  TRY(feature.otherwise, default_of(op.in(dense.first_default + index), feature));
  return feature;
}

LoweredValues lower_examples(Operation& op) {
  const auto& serialized = op.in(0);
  if (!op.lowering().emitter().takes(serialized)) {
    return does_not_lower("Examples that are no input of the signature, or are read in a branch or a loop");
  }
  // Old exporters leave the rank open, for that the operation of their time took nothing but vectors.
  Dims rows = serialized.dims.ranked ? serialized.dims : Dims::any_of(1);
  if (op.type() == "ParseSingleExample") rows = Dims::of({});
  if (rows.rank() > 1) return does_not_lower("Examples that are neither a vector nor a scalar");
  if (has_others(op)) return does_not_lower("features that are sparse or ragged");
  TRY(const auto dense, dense_inputs(op));
  const auto* types = op.attribute("Tdense");
  const auto* shapes = op.attribute("dense_shapes");
  const auto count = static_cast<int>(dense.keys.size());
  if (count == 0 || types == nullptr || shapes == nullptr || types->list().type_size() != count ||
      shapes->list().shape_size() != count || op.count() < dense.first_default + dense.keys.size()) {
    return fail(Code::kInvalidArgument, "as many names, types, shapes and defaults as features are needed");
  }
  std::vector<Value> values;
  for (std::size_t i = 0; i < dense.keys.size(); ++i) {
    TRY(auto feature, feature_of(op, dense, i));
    feature.single = rows.scalar();
    Dims dims = rows;
    dims.sizes.insert(dims.sizes.end(), feature.shape.begin(), feature.shape.end());
    values.push_back(op.lowering().add_feature(std::move(feature), dims));
  }
  return values;
}

constexpr const char* kRemark =
    "of Examples that are an input of the signature; features with a fixed number of values; read before the run";

constexpr std::array kOperations = std::to_array<LoweredOperation>({
    {"ParseExample", lower_examples, kRemark},
    {"ParseExampleV2", lower_examples, kRemark},
    {"ParseSingleExample", lower_examples, kRemark},
});

}  // namespace

OperationGroup example_operations() { return {"Examples", kOperations}; }

}  // namespace protean
