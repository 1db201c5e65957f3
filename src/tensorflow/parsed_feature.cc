// SPDX-License-Identifier: Apache-2.0
// A feature as a node: its tensor is the node's name, its input the node's input, the rest attributes.
#include "tensorflow/parsed_feature.h"

#include <limits>
#include <utility>

namespace protean {
namespace {

namespace tf = tensorflow;

constexpr const char* kOperation = "ParsedFeature";

tf::TensorProto proto_of(const Literal& literal) {
  tf::TensorProto proto;
  proto.set_dtype(literal.dtype);
  for (const auto size : literal.shape) proto.mutable_tensor_shape()->add_dim()->set_size(size);
  if (literal.dtype == tf::DT_STRING) {
    for (const auto& text : literal.strings) proto.add_string_val(text);
  } else {
    proto.set_tensor_content(literal.bytes);
  }
  return proto;
}

tl::unexpected<Error> damaged() {
  return fail(Code::kInvalidArgument, "what is said about the features of Examples is damaged");
}

const tf::AttrValue& attribute(const tf::NodeDef& node, const char* name) {
  const auto found = node.attr().find(name);
  return found == node.attr().end() ? tf::AttrValue::default_instance() : found->second;
}

Result<ParsedFeature> read_feature(const tf::NodeDef& node) {
  if (node.op() != kOperation || node.input_size() != 1) return damaged();
  ParsedFeature feature{node.input(0), node.name(), attribute(node, "key").s(), attribute(node, "dtype").type(),
                        shape_of(attribute(node, "shape").shape())};
  feature.single = attribute(node, "single").b();
  if (!feature_type(feature.dtype) || !element_count(feature.shape)) return damaged();
  if (const auto& otherwise = attribute(node, "otherwise"); otherwise.has_tensor()) {
    TRY(feature.otherwise, read_literal(otherwise.tensor(), "default"));
    if (feature.otherwise->dtype != feature.dtype || feature.otherwise->shape != feature.shape) return damaged();
  }
  return feature;
}

}  // namespace

std::optional<DataType> feature_type(tf::DataType dtype) noexcept {
  switch (dtype) {
    case tf::DT_FLOAT: return DataType::kFp32;
    case tf::DT_INT64: return DataType::kInt64;
    case tf::DT_STRING: return DataType::kBytes;
    default: return std::nullopt;
  }
}

std::string write_features(const std::vector<ParsedFeature>& features) {
  tf::GraphDef graph;
  for (const auto& feature : features) {
    auto& node = *graph.add_node();
    node.set_op(kOperation);
    node.set_name(feature.tensor);
    node.add_input(feature.input);
    auto& attributes = *node.mutable_attr();
    attributes["key"].set_s(feature.key);
    attributes["dtype"].set_type(feature.dtype);
    attributes["single"].set_b(feature.single);
    auto& shape = *attributes["shape"].mutable_shape();
    for (const auto size : feature.shape) shape.add_dim()->set_size(size);
    if (feature.otherwise) *attributes["otherwise"].mutable_tensor() = proto_of(*feature.otherwise);
  }
  return graph.SerializeAsString();
}

Result<std::vector<ParsedFeature>> read_features(std::string_view bytes) {
  tf::GraphDef graph;
  if (bytes.size() > std::numeric_limits<int>::max() ||
      !graph.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return damaged();
  }
  std::vector<ParsedFeature> features;
  for (const auto& node : graph.node()) {
    TRY(auto feature, read_feature(node));
    features.push_back(std::move(feature));
  }
  return features;
}

}  // namespace protean
