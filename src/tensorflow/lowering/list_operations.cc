// SPDX-License-Identifier: Apache-2.0
// TensorLists as tensors: the elements stacked. A list that was only reserved does not know its elements' shape yet; it
// is a stack of ones-wide zeros that grows by broadcasting at the first write, or no tensor at all.
#include "tensorflow/lowering/list_operations.h"

#include <array>

namespace protean {
namespace {

namespace tf = tensorflow;

Dims element_of(const Dims& stack) {
  if (!stack.ranked || stack.rank() == 0) return Dims::any();
  return Dims::of(Shape(stack.sizes.begin() + 1, stack.sizes.end()));
}

/// A shape given as a tensor: a scalar is "any".
Dims dims_of(const Value& shape) {
  if (!shape.dims.ranked || shape.dims.rank() != 1) return Dims::any();
  if (!shape.ints)
    return shape.dims.sizes[0] >= 0 ? Dims::any_of(static_cast<std::size_t>(shape.dims.sizes[0])) : Dims::any();
  Shape sizes;
  for (const auto size : *shape.ints) sizes.push_back(size < 0 ? -1 : size);
  return Dims::of(std::move(sizes));
}

Result<Value> list_input(Operation& op) {
  if (op.in(0).list == nullptr) return does_not_lower("a list that is not known");
  return op.in(0);
}

LoweredValues lower_from_tensor(Operation& op) { return one(list_from(op.in(0))); }

LoweredValues lower_reserve(Operation& op) {
  auto& build = op.build();
  const bool empty = op.type() == "EmptyTensorList";
  TensorListState state;
  state.dtype = op.dtype("element_dtype", tf::DT_INVALID);
  state.element = dims_of(op.in(0));
  state.reserved = true;
  state.count =
      std::make_shared<const Value>(empty ? Build::integers({0}) : build.reshape_to(build.as_int64(op.in(1)), {1}));
  if (onnx_type(state.dtype) == 0) return does_not_lower("of " + dtype_name(state.dtype));
  Value list;
  list.dtype = tf::DT_VARIANT;
  list.list = std::make_shared<const TensorListState>(std::move(state));
  return one(list);
}

/// The stack of a list that is about to hold elements like `item`.
Value stack_for(Build& build, const Value& list, const Value& item) {
  const auto& state = *list.list;
  if (!state.reserved) return stack_of(list);
  const auto count = list_length(build, list);
  const auto zeros = list.name.empty() ? Build::number(state.dtype, 0) : stack_of(list);
  return build.expand(zeros, build.concat({count, build.shape(item)}, 0));
}

LoweredValues lower_set_item(Operation& op) {
  TRY(const auto list, list_input(op));
  auto& build = op.build();
  const auto& item = op.in(2);
  if (item.dtype == tf::DT_STRING) return does_not_lower("of strings");
  if (!item.dims.ranked) return does_not_lower("an element of unknown rank");
  const auto row = build.unsqueeze(item, {0});
  const auto count = list_length(build, list).known_int();
  if (count == 1 && op.in(1).known_int() == 0) return one(list_from(row));
  const auto stack = stack_for(build, list, item);
  const auto place = build.reshape_to(build.as_int64(op.in(1)), {1, 1});
  return one(list_from(build.op("ScatterND", {stack, place, row}, stack.dtype, stack.dims)));
}

LoweredValues lower_push_back(Operation& op) {
  TRY(const auto list, list_input(op));
  auto& build = op.build();
  const auto& item = op.in(1);
  if (!item.dims.ranked) return does_not_lower("an element of unknown rank");
  const auto row = build.unsqueeze(item, {0});
  if (list.list->reserved && list_length(build, list).known_int() == 0) return one(list_from(row));
  return one(list_from(build.concat({stack_for(build, list, item), row}, 0)));
}

LoweredValues lower_get_item(Operation& op) {
  TRY(const auto list, list_input(op));
  if (list.list->reserved && list.name.empty()) return does_not_lower("from a list that nothing was written to");
  auto& build = op.build();
  auto item = build.gather(stack_of(list), build.reshape_to(build.as_int64(op.in(1)), {}), 0);
  item.dims = merged(item.dims, dims_of(op.in(2)));
  return one(item);
}

LoweredValues lower_gather(Operation& op) {
  TRY(const auto list, list_input(op));
  if (list.list->reserved && list.name.empty()) return does_not_lower("from a list that nothing was written to");
  return one(op.build().gather(stack_of(list), op.in(1), 0));
}

LoweredValues lower_stack(Operation& op) {
  TRY(const auto list, list_input(op));
  const auto element = merged(list.list->element, dims_of(op.in(1)));
  if (list.list->reserved && list.name.empty()) {
    if (!element.known()) return does_not_lower("of a list that nothing was written to");
    const auto shape = op.build().concat({*list.list->count, Build::integers(element.sizes)}, 0);
    return one(op.build().expand(Build::number(list.list->dtype, 0), shape));
  }
  auto stack = stack_of(list);
  if (element.ranked) {
    Shape sizes{stack.dims.size(0)};
    sizes.insert(sizes.end(), element.sizes.begin(), element.sizes.end());
    stack.dims = merged(stack.dims, Dims::of(std::move(sizes)));
  }
  return one(stack);
}

LoweredValues lower_length(Operation& op) {
  TRY(const auto list, list_input(op));
  auto& build = op.build();
  return one(build.cast(build.reshape_to(list_length(build, list), {}), tf::DT_INT32));
}

constexpr std::array kOperations = std::to_array<LoweredOperation>({
    {"EmptyTensorList", lower_reserve},
    {"TensorListFromTensor", lower_from_tensor},
    {"TensorListGather", lower_gather, "", true},
    {"TensorListGetItem", lower_get_item, "", true},
    {"TensorListLength", lower_length, "", true},
    {"TensorListPushBack", lower_push_back, "elements of known rank", true},
    {"TensorListReserve", lower_reserve},
    {"TensorListSetItem", lower_set_item, "elements of known rank, not strings", true},
    {"TensorListStack", lower_stack, "", true},
});

}  // namespace

Value list_from(const Value& stack) {
  Value list = stack;
  list.dtype = tf::DT_VARIANT;
  list.ints.reset();
  TensorListState state;
  state.dtype = stack.dtype;
  state.element = element_of(stack.dims);
  if (stack.ints && stack.literal == nullptr && stack.name.empty()) list.ints = stack.ints;
  list.list = std::make_shared<const TensorListState>(std::move(state));
  return list;
}

Value stack_of(const Value& list) {
  Value stack = list;
  stack.dtype = list.list->dtype;
  stack.list = nullptr;
  return stack;
}

Value list_length(Build& build, const Value& list) {
  if (list.list->reserved && list.list->count != nullptr) return *list.list->count;
  return build.dim(stack_of(list), 0);
}

OperationGroup list_operations() { return {"Lists of tensors", kOperations}; }

}  // namespace protean
