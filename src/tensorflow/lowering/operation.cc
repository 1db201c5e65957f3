// SPDX-License-Identifier: Apache-2.0
// Attributes of a node, with TensorFlow's defaults where exporters leave them out, and the page of operations.
#include "tensorflow/lowering/operation.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/text.h"

namespace protean {
namespace {

namespace tf = tensorflow;

const std::array<OperationGroup, 14>& groups() {
  static const std::array<OperationGroup, 14> all{
      elementwise_operations(), comparison_operations(), reduction_operations(),   matrix_operations(),
      layout_operations(),      selection_operations(),  convolution_operations(), pooling_operations(),
      image_operations(),       lookup_operations(),     control_operations(),     list_operations(),
      example_operations(),     source_operations()};
  return all;
}

}  // namespace

Operation::Operation(const Scope& scope, const tf::NodeDef& node, std::vector<Value> inputs, Lowering& lowering)
    : scope_(scope), node_(node), inputs_(std::move(inputs)), lowering_(lowering), build_(build_of(lowering)) {}

const Value& Operation::in(std::size_t index) const noexcept {
  static const Value kMissing;
  if (index < inputs_.size()) return inputs_[index];
  too_few_ = true;
  return kMissing;
}

const tf::AttrValue* Operation::attribute(const std::string& name) const {
  const auto found = node_.attr().find(name);
  return found == node_.attr().end() ? nullptr : &found->second;
}

std::int64_t Operation::integer(const std::string& name, std::int64_t otherwise) const {
  const auto* value = attribute(name);
  return value == nullptr ? otherwise : std::clamp(value->i(), -kSizeMax, kSizeMax);
}

bool Operation::flag(const std::string& name, bool otherwise) const {
  const auto* value = attribute(name);
  return value == nullptr ? otherwise : value->b();
}

float Operation::number(const std::string& name, float otherwise) const {
  const auto* value = attribute(name);
  return value == nullptr ? otherwise : value->f();
}

std::string Operation::text(const std::string& name, const std::string& otherwise) const {
  const auto* value = attribute(name);
  return value == nullptr ? otherwise : value->s();
}

std::vector<std::int64_t> Operation::integers(const std::string& name) const {
  const auto* value = attribute(name);
  if (value == nullptr) return {};
  std::vector<std::int64_t> values;
  for (const auto integer : value->list().i()) values.push_back(std::clamp(integer, -kSizeMax, kSizeMax));
  return values;
}

DType Operation::dtype(const std::string& name, DType otherwise) const {
  const auto* value = attribute(name);
  return value == nullptr ? otherwise : value->type();
}

std::string Operation::function(const std::string& name) const {
  const auto* value = attribute(name);
  return value == nullptr ? std::string() : value->func().name();
}

Dims Operation::shape(const std::string& name) const {
  const auto* value = attribute(name);
  if (value == nullptr || value->shape().unknown_rank()) return Dims::any();
  auto sizes = shape_of(value->shape());
  for (auto& size : sizes) size = std::max<std::int64_t>(size, -1);
  return Dims::of(std::move(sizes));
}

Result<std::vector<std::int64_t>> Operation::constant(std::size_t index, std::string_view what) const {
  const auto* literal = in(index).literal.get();
  std::vector<std::int64_t> values;
  if (auto integers = in(index).known_ints()) {
    values = *std::move(integers);
  } else if (literal != nullptr && is_integer(literal->dtype) && literal->elements() <= 4096) {
    for (std::size_t i = 0; i < literal->elements(); ++i) values.push_back(integer_at(*literal, i).value_or(0));
  } else {
    return does_not_lower(std::string(what) + " that is not constant");
  }
  for (auto& value : values) value = std::clamp(value, -kSizeMax, kSizeMax);
  return values;
}

Result<std::size_t> Operation::rank(std::size_t index) const {
  if (in(index).dims.ranked) return in(index).dims.rank();
  return does_not_lower("an input of unknown rank");
}

std::span<const OperationGroup> lowered_operations() { return groups(); }

const LoweredOperation* find_lowered_operation(std::string_view name) {
  static const auto kByName = [] {
    std::unordered_map<std::string_view, const LoweredOperation*> table;
    for (const auto& group : groups()) {
      for (const auto& operation : group.operations) table.emplace(operation.name, &operation);
    }
    return table;
  }();
  const auto found = kByName.find(name);
  return found == kByName.end() ? nullptr : found->second;
}

}  // namespace protean
