// SPDX-License-Identifier: Apache-2.0
// Where values come from: constants, variables, tables, and inputs that nobody feeds.
#include <array>

#include "tensorflow/lowering/lowering.h"
#include "tensorflow/lowering/operation.h"

namespace protean {
namespace {

namespace tf = tensorflow;

LoweredValues lower_constant(Operation& op) {
  const auto* value = op.attribute("value");
  if (value == nullptr) return fail(Code::kInvalidArgument, "a constant without a value");
  TRY(auto literal, read_literal(value->tensor(), op.node().name()));
  TRY_STATUS(op.lowering().count_constant(literal.bytes.size(), value->tensor().ByteSizeLong()));
  return one(Value::of(std::make_shared<const Literal>(std::move(literal))));
}

LoweredValues lower_resource(Operation& op) {
  Value handle;
  handle.dtype = tf::DT_RESOURCE;
  handle.resource = &op.node();
  return one(handle);
}

Result<Value> value_of_variable(Operation& op, const tf::NodeDef& node) {
  TRY(auto literal, op.lowering().state().variable(node));
  if (onnx_type(literal->dtype) == 0) return fail(Code::kUnimplemented, "a variable of " + dtype_name(literal->dtype));
  return Value::of(std::move(literal));
}

LoweredValues lower_read(Operation& op) {
  if (op.in(0).resource == nullptr) return does_not_lower("a variable that is not known");
  TRY(auto value, value_of_variable(op, *op.in(0).resource));
  return one(std::move(value));
}

LoweredValues lower_variable(Operation& op) {
  TRY(auto value, value_of_variable(op, op.node()));
  return one(std::move(value));
}

LoweredValues lower_variable_shape(Operation& op) {
  if (op.in(0).resource == nullptr) return does_not_lower("a variable that is not known");
  TRY(const auto value, value_of_variable(op, *op.in(0).resource));
  return one(Build::integers(value.dims.sizes, op.dtype("out_type", tf::DT_INT32)));
}

LoweredValues lower_gather_variable(Operation& op) {
  if (op.in(0).resource == nullptr) return does_not_lower("a variable that is not known");
  if (op.integer("batch_dims") != 0) return does_not_lower("batch_dims");
  TRY(const auto table, value_of_variable(op, *op.in(0).resource));
  return one(op.build().gather(table, op.in(1), 0));
}

LoweredValues lower_initialised(Operation&) {
  return one(Value::of(std::make_shared<const Literal>(scalar_literal(tf::DT_BOOL, 1))));
}

LoweredValues lower_placeholder(Operation&) { return does_not_lower("an input that the signature does not have"); }

constexpr std::array kOperations = std::to_array<LoweredOperation>({
    {"Const", lower_constant, "not of complex and quantised types"},
    {"HashTable", lower_resource},
    {"HashTableV2", lower_resource},
    {"IsVariableInitialized", lower_initialised},
    {"MutableHashTable", lower_resource},
    {"MutableHashTableV2", lower_resource},
    {"Placeholder", lower_placeholder, "as an input of the signature"},
    {"ReadVariableOp", lower_read, "", true},
    {"ResourceGather", lower_gather_variable, "without batch_dims", true},
    {"VarHandleOp", lower_resource},
    {"VarIsInitializedOp", lower_initialised, "", true},
    {"Variable", lower_variable, "that no request changes"},
    {"VariableShape", lower_variable_shape, "", true},
    {"VariableV2", lower_variable, "that no request changes"},
});

}  // namespace

OperationGroup source_operations() { return {"Constants, variables, inputs", kOperations}; }

}  // namespace protean
