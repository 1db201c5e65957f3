// SPDX-License-Identifier: Apache-2.0
// Operator set 17 of ONNX and 2 of ONNX-ML, which every runtime of the last years has.
#include "tensorflow/lowering/emitter.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace protean {
namespace {

namespace tf = tensorflow;
namespace onnx = lowered_onnx;

constexpr std::int64_t kIrVersion = 8;
constexpr std::int64_t kOperatorSet = 17;
constexpr std::int64_t kMlOperatorSet = 2;
constexpr const char* kMlDomain = "ai.onnx.ml";
constexpr std::size_t kSmallBytes = 64;
constexpr std::size_t kModelBytesMax = static_cast<std::size_t>(std::numeric_limits<int>::max());

tl::unexpected<Error> too_large(std::size_t bytes) {
  return fail(Code::kResourceExhausted, "the model has " + std::to_string(bytes >> 20U) +
                                            " MiB of constants; one that is lowered to ONNX can have less than 2 GiB: "
                                            "serve it with TensorFlow's library");
}

}  // namespace

int onnx_type(DType dtype) noexcept {
  switch (dtype) {
    case tf::DT_FLOAT: return 1;
    case tf::DT_UINT8: return 2;
    case tf::DT_INT8: return 3;
    case tf::DT_UINT16: return 4;
    case tf::DT_INT16: return 5;
    case tf::DT_INT32: return 6;
    case tf::DT_INT64: return 7;
    case tf::DT_STRING: return 8;
    case tf::DT_BOOL: return 9;
    case tf::DT_HALF: return 10;
    case tf::DT_DOUBLE: return 11;
    case tf::DT_UINT32: return 12;
    case tf::DT_UINT64: return 13;
    case tf::DT_BFLOAT16: return 16;
    default: return 0;
  }
}

Emitter::Emitter() : graphs_(1) {
  model_.set_ir_version(kIrVersion);
  model_.set_producer_name("protean");
  auto* standard = model_.add_opset_import();
  standard->set_domain("");
  standard->set_version(kOperatorSet);
  auto* ml = model_.add_opset_import();
  ml->set_domain(kMlDomain);
  ml->set_version(kMlOperatorSet);
  graphs_.front().set_name("saved_model");
}

void Emitter::set_attribute(onnx::Attribute& to, const OnnxAttribute& from) {
  to.set_name(from.name);
  if (const auto* integer = std::get_if<std::int64_t>(&from.value)) {
    to.set_type(onnx::Attribute::INT);
    to.set_i(*integer);
  } else if (const auto* number = std::get_if<float>(&from.value)) {
    to.set_type(onnx::Attribute::FLOAT);
    to.set_f(*number);
  } else if (const auto* text = std::get_if<std::string>(&from.value)) {
    to.set_type(onnx::Attribute::STRING);
    to.set_s(*text);
  } else if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&from.value)) {
    to.set_type(onnx::Attribute::INTS);
    for (const auto value : *integers) to.add_ints(value);
  } else if (const auto* numbers = std::get_if<std::vector<float>>(&from.value)) {
    to.set_type(onnx::Attribute::FLOATS);
    for (const auto value : *numbers) to.add_floats(value);
  } else if (const auto* texts = std::get_if<std::vector<std::string>>(&from.value)) {
    to.set_type(onnx::Attribute::STRINGS);
    for (const auto& value : *texts) to.add_strings(value);
  } else {
    to.set_type(onnx::Attribute::GRAPH);
    *to.mutable_g() = std::get<onnx::Graph>(from.value);
  }
}

std::vector<Value> Emitter::emit(const OnnxOperation& operation, const std::vector<Value>& inputs,
                                 const std::vector<OnnxResult>& results) {
  std::vector<std::string> names;
  for (const auto& input : inputs) names.push_back(input.dtype == tf::DT_INVALID ? std::string() : name_of(input));
  auto& node = *graphs_.back().add_node();
  node.set_op_type(operation.type);
  if (!operation.domain.empty()) node.set_domain(operation.domain);
  for (auto& name : names) node.add_input(std::move(name));
  for (const auto& attribute : operation.attributes) set_attribute(*node.add_attribute(), attribute);
  std::vector<Value> values;
  for (const auto& result : results) {
    Value value;
    value.dtype = result.dtype;
    value.dims = Dims(result.dims).bounded();
    value.name = fresh_name();
    node.add_output(value.name);
    values.push_back(std::move(value));
  }
  return values;
}

std::string Emitter::add_constant(const Literal& literal) {
  auto& tensor = *graphs_.front().add_initializer();
  tensor.set_name(fresh_name());
  tensor.set_data_type(onnx_type(literal.dtype));
  for (const auto dim : literal.shape) tensor.add_dims(dim);
  if (literal.dtype == tf::DT_STRING) {
    for (const auto& text : literal.strings) {
      tensor.add_string_data(text);
      constant_bytes_ += text.size();
    }
  } else {
    constant_bytes_ += literal.bytes.size();
    // Past the limit the model is refused by finish(): no reason to fill memory with it.
    if (constant_bytes_ <= kModelBytesMax) tensor.set_raw_data(literal.bytes);
  }
  return tensor.name();
}

std::string Emitter::name_of(const Value& value) {
  if (!value.name.empty()) return value.name;
  if (value.literal == nullptr) {
    const auto integers = value.known_ints();
    if (!integers) {
      // A graph may hand a variable to an operation on numbers; finish() refuses it.
      misuse_ = true;
      return {};
    }
    const auto wide = integer_literal(tf::DT_INT64, value.dims.sizes, *integers);
    Literal literal{value.dtype, value.dims.sizes, {}, {}};
    const auto each = element_bytes(value.dtype);
    for (std::size_t i = 0; i < integers->size(); ++i) literal.bytes.append(wide.bytes, i * 8, each);
    Value made = value;
    made.literal = std::make_shared<const Literal>(std::move(literal));
    return name_of(made);
  }
  const auto& literal = *value.literal;
  if (literal.strings.empty() && literal.bytes.size() <= kSmallBytes) {
    const auto key = std::to_string(literal.dtype) + format_shape(literal.shape) + literal.bytes;
    auto& name = small_constants_[key];
    if (name.empty()) name = add_constant(literal);
    return name;
  }
  auto& name = constants_[&literal];
  if (name.empty()) {
    name = add_constant(literal);
    held_.push_back(value.literal);
  }
  return name;
}

void Emitter::describe(onnx::ValueInfo& info, const std::string& name, DType dtype, const Dims& dims) {
  info.set_name(name);
  auto& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx_type(dtype));
  if (!dims.ranked) return;
  auto& shape = *type.mutable_shape();
  for (const auto size : dims.sizes) {
    auto& dim = *shape.add_dim();
    if (size >= 0) dim.set_dim_value(size);
  }
}

Value Emitter::add_input(const std::string& name, DType dtype, const Dims& dims) {
  describe(*graphs_.back().add_input(), name, dtype, dims);
  Value value;
  value.dtype = dtype;
  value.dims = dims;
  value.name = name;
  return value;
}

bool Emitter::takes(const Value& value) const {
  if (value.name.empty() || graphs_.size() != 1) return false;
  const auto& inputs = graphs_.front().input();
  return std::any_of(inputs.begin(), inputs.end(), [&](const auto& input) { return input.name() == value.name; });
}

void Emitter::drop_unused_inputs() {
  if (optional_inputs_.empty()) return;
  std::vector<const onnx::Graph*> pending = {&graphs_.front()};
  while (!pending.empty()) {
    const auto* graph = pending.back();
    pending.pop_back();
    for (const auto& node : graph->node()) {
      for (const auto& input : node.input()) optional_inputs_.erase(input);
      for (const auto& attribute : node.attribute()) {
        if (attribute.has_g()) pending.push_back(&attribute.g());
      }
    }
  }
  auto& inputs = *graphs_.front().mutable_input();
  const auto unused = [&](const onnx::ValueInfo& input) { return optional_inputs_.contains(input.name()); };
  inputs.erase(std::remove_if(inputs.begin(), inputs.end(), unused), inputs.end());
}

Value Emitter::add_nameless_input(DType dtype, const Dims& dims) { return add_input(fresh_name(), dtype, dims); }

void Emitter::add_output(const std::string& name, const Value& value) {
  const auto from = name_of(value);
  auto& node = *graphs_.back().add_node();
  node.set_op_type("Identity");
  node.add_input(from);
  node.add_output(name.empty() ? fresh_name() : name);
  describe(*graphs_.back().add_output(), node.output(0), value.dtype, value.dims);
}

void Emitter::begin_inner_graph() {
  graphs_.emplace_back();
  graphs_.back().set_name("inner" + std::to_string(names_++));
}

onnx::Graph Emitter::end_inner_graph() {
  PROTEAN_CHECK(graphs_.size() > 1);
  auto graph = std::move(graphs_.back());
  graphs_.pop_back();
  return graph;
}

Result<std::string> Emitter::finish() {
  if (constant_bytes_ > kModelBytesMax) return too_large(constant_bytes_);
  if (misuse_) return fail(Code::kInvalidArgument, "the graph uses a variable or a list where a tensor is expected");
  drop_unused_inputs();
  model_.mutable_graph()->Swap(&graphs_.front());
  const auto size = model_.ByteSizeLong();
  if (size > kModelBytesMax) return too_large(size);
  return model_.SerializeAsString();
}

}  // namespace protean
