// SPDX-License-Identifier: Apache-2.0
// One pass over the top of the file, one over the graph's own fields; weights are skipped by their lengths.
#include "backends/onnxruntime/model_facts.h"

#include <algorithm>
#include <optional>

#include "backends/onnxruntime/onnx_format.h"
#include "backends/onnxruntime/onnx_wire.h"
#include "base/text.h"

namespace protean {
namespace {

constexpr int kDepthMax = 100;  // messages within messages, as protobuf itself allows
constexpr std::uint64_t kIrVersionWithOpsets = 3;

struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

template <typename List>
auto find_by_name(const List& list, std::string_view name) noexcept -> decltype(list.data()) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const auto& item) { return item.name == name; });
  return found == list.end() ? nullptr : &*found;
}

/// Calls `visit(field)` for each good field; false when the message is broken.
template <typename Visit>
bool each_field(std::string_view file, Span span, Visit visit) {
  WireReader reader(file, span.begin, span.end);
  WireField field;
  auto state = reader.next(field);
  for (; state == WireState::kGood; state = reader.next(field)) visit(field);
  return state == WireState::kEnd;
}

std::string_view content(std::string_view file, const WireField& field) {
  return file.substr(field.body, field.end - field.body);
}

bool is(const WireField& field, std::uint32_t number, WireType type) noexcept {
  return field.number == number && field.type == type;
}

Span body(const WireField& field) noexcept { return {field.body, field.end}; }

// ---- values ----------------------------------------------------------------------------------------------------

bool dimension_is_fixed(std::string_view file, Span dim) {
  bool fixed = false;
  each_field(file, dim, [&](const WireField& field) {
    fixed = is(field, onnx::dim::kValue, WireType::kVarint) && static_cast<std::int64_t>(field.value) >= 0;
  });
  return fixed;
}

void read_tensor_type(std::string_view file, Span type, ValueFacts& value) {
  each_field(file, type, [&](const WireField& field) {
    if (!is(field, onnx::tensor_type::kShape, WireType::kLength)) return;
    value.has_shape = true;
    value.fixed = true;
    each_field(file, body(field), [&](const WireField& dim) {
      if (is(dim, onnx::shape::kDim, WireType::kLength)) {
        value.fixed = value.fixed && dimension_is_fixed(file, body(dim));
      }
    });
  });
}

ValueFacts read_value(std::string_view file, Span info) {
  ValueFacts value;
  each_field(file, info, [&](const WireField& field) {
    if (is(field, onnx::value_info::kName, WireType::kLength)) value.name = content(file, field);
    if (!is(field, onnx::value_info::kType, WireType::kLength)) return;
    each_field(file, body(field), [&](const WireField& type) {
      if (is(type, onnx::type::kTensor, WireType::kLength)) read_tensor_type(file, body(type), value);
    });
  });
  return value;
}

// ---- ZipMap ----------------------------------------------------------------------------------------------------

struct Labels {
  std::vector<std::string> texts;
  std::vector<std::int64_t> numbers;
};

void read_labels(std::string_view file, Span attribute, Labels& labels) {
  std::string_view name;
  Labels found;
  each_field(file, attribute, [&](const WireField& field) {
    if (is(field, onnx::attribute::kName, WireType::kLength)) name = content(file, field);
    if (is(field, onnx::attribute::kStrings, WireType::kLength)) found.texts.emplace_back(content(file, field));
    if (is(field, onnx::attribute::kInts, WireType::kVarint)) {
      found.numbers.push_back(static_cast<std::int64_t>(field.value));
    }
    if (!is(field, onnx::attribute::kInts, WireType::kLength)) return;
    std::vector<std::uint64_t> numbers;
    if (!read_packed_varints(content(file, field), numbers)) return;
    for (const auto number : numbers) found.numbers.push_back(static_cast<std::int64_t>(number));
  });
  if (name == "classlabels_strings") labels.texts = std::move(found.texts);
  if (name == "classlabels_int64s") labels.numbers = std::move(found.numbers);
}

std::string format_labels(const Labels& labels) {
  std::string json = "[";
  for (const auto& text : labels.texts) {
    if (json.size() > 1) json += ',';
    append_json_string(json, text);
  }
  for (const auto number : labels.numbers) {
    if (json.size() > 1) json += ',';
    json += std::to_string(number);
  }
  return json + "]";
}

/// nullopt when the node is no ZipMap, or one that ONNX Runtime would refuse.
std::optional<LabelledOutput> read_zip_map(std::string_view file, const WireField& node) {
  std::string_view op_type;
  std::string_view domain;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  each_field(file, body(node), [&](const WireField& field) {
    if (field.type != WireType::kLength) return;
    const auto text = content(file, field);
    if (field.number == onnx::node::kOpType) op_type = text;
    if (field.number == onnx::node::kDomain) domain = text;
    if (field.number == onnx::node::kInput) inputs.push_back(text);
    if (field.number == onnx::node::kOutput) outputs.push_back(text);
  });
  if (op_type != "ZipMap" || domain != "ai.onnx.ml" || inputs.size() != 1 || outputs.size() != 1) return std::nullopt;
  Labels labels;
  each_field(file, body(node), [&](const WireField& field) {
    if (is(field, onnx::node::kAttribute, WireType::kLength)) read_labels(file, body(field), labels);
  });
  if (labels.texts.empty() == labels.numbers.empty()) return std::nullopt;
  LabelledOutput output;
  output.name = outputs[0];
  output.scores = inputs[0];
  output.labels = format_labels(labels);
  output.label_count = static_cast<std::int64_t>(labels.texts.size() + labels.numbers.size());
  output.node_begin = node.begin;
  return output;
}

/// Whether a node of this message, or of a graph further down, takes `name` as an input.
bool takes_input(std::string_view file, onnx::Message message, Span span, std::string_view name, int depth) {
  if (depth > kDepthMax) return true;  // the model will be refused for its depth
  bool found = false;
  each_field(file, span, [&](const WireField& field) {
    if (found || field.type != WireType::kLength) return;
    if (message == onnx::Message::kNode && field.number == onnx::node::kInput) {
      found = content(file, field) == name;
      return;
    }
    const auto child = onnx::child_of(message, field.number).message;
    if (child == onnx::Message::kNone || child == onnx::Message::kTensor) return;
    found = takes_input(file, child, body(field), name, depth + 1);
  });
  return found;
}

// ---- graph and file --------------------------------------------------------------------------------------------

void read_graph(std::string_view file, Span graph, ModelFacts& facts) {
  each_field(file, graph, [&](const WireField& field) {
    if (field.type != WireType::kLength) return;
    if (field.number == onnx::graph::kInput) facts.inputs.push_back(read_value(file, body(field)));
    if (field.number == onnx::graph::kOutput) facts.outputs.push_back(read_value(file, body(field)));
    if (field.number != onnx::graph::kNode) return;
    if (auto output = read_zip_map(file, field)) facts.labelled.push_back(std::move(*output));
  });
  // Left alone: maps that stay inside the graph, and those that another node looks into as well.
  std::erase_if(facts.labelled, [&](const LabelledOutput& output) {
    return facts.find_output(output.name) == nullptr || takes_input(file, onnx::Message::kGraph, graph, output.name, 0);
  });
}

OpsetFacts read_opset(std::string_view file, Span import) {
  OpsetFacts opset;
  each_field(file, import, [&](const WireField& field) {
    if (is(field, onnx::opset::kDomain, WireType::kLength)) opset.domain = content(file, field);
    if (is(field, onnx::opset::kVersion, WireType::kVarint)) opset.version = field.value;
  });
  return opset;
}

tl::unexpected<Error> truncated(const WireField& field, std::size_t file_bytes) {
  std::string message = "the file is truncated after " + std::to_string(file_bytes) + " bytes";
  if (field.body != 0 && field.type == WireType::kLength) {
    message += ": field " + std::to_string(field.number) + " of the model asks for " +
               std::to_string(field.end - field.body) + " bytes, " + std::to_string(file_bytes - field.body) +
               " are there";
  }
  return fail(Code::kInvalidArgument, message + "; copy it again");
}

}  // namespace

const ValueFacts* ModelFacts::find_input(std::string_view name) const noexcept { return find_by_name(inputs, name); }
const ValueFacts* ModelFacts::find_output(std::string_view name) const noexcept { return find_by_name(outputs, name); }
const LabelledOutput* ModelFacts::find_labelled(std::string_view name) const noexcept {
  return find_by_name(labelled, name);
}

Result<ModelFacts> read_model_facts(std::string_view file) {
  if (file.empty()) return fail(Code::kInvalidArgument, "the file is empty; expected an ONNX model");
  ModelFacts facts;
  std::optional<Span> graph;
  WireReader reader(file);
  WireField field;
  auto state = reader.next(field);
  for (; state == WireState::kGood; state = reader.next(field)) {
    if (is(field, onnx::model::kIrVersion, WireType::kVarint)) facts.ir_version = field.value;
    if (is(field, onnx::model::kGraph, WireType::kLength)) graph = body(field);
    if (is(field, onnx::model::kOpsetImport, WireType::kLength)) facts.opsets.push_back(read_opset(file, body(field)));
  }
  if (state == WireState::kTruncated) return truncated(field, file.size());
  if (state == WireState::kMalformed) {
    return fail(Code::kInvalidArgument,
                "the file is not ONNX, or damaged: no protobuf field at byte " + std::to_string(field.begin));
  }
  if (facts.ir_version == 0) {
    return fail(Code::kInvalidArgument, "the file is not ONNX, or damaged: no IR version (field 1 of the model)");
  }
  if (!graph) {
    return fail(Code::kInvalidArgument,
                "the model has no graph: the file is truncated, or only part of an export; copy or export it again");
  }
  if (facts.opsets.empty() && facts.ir_version >= kIrVersionWithOpsets) {
    return fail(Code::kInvalidArgument,
                "the model names no operator set: the file is truncated after its graph; copy it again");
  }
  read_graph(file, *graph, facts);
  return facts;
}

}  // namespace protean
