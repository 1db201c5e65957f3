// SPDX-License-Identifier: Apache-2.0
// Writing and reading facts, field by field.
#include "backends/onnxruntime/facts_codec.h"

#include "backends/onnxruntime/onnx_wire.h"

namespace protean {
namespace {

constexpr std::uint32_t kIrVersion = 1, kOpset = 2, kInput = 3, kOutput = 4, kLabelled = 5;
// Of an operator set, a value, a labelled output.
constexpr std::uint32_t kName = 1, kVersion = 2, kHasShape = 2, kFixed = 3, kScores = 2, kLabels = 3, kCount = 4;

std::string encode_value(const ValueFacts& value) {
  std::string out;
  append_text_field(out, kName, value.name);
  append_number_field(out, kHasShape, static_cast<std::uint64_t>(value.has_shape));
  append_number_field(out, kFixed, static_cast<std::uint64_t>(value.fixed));
  return out;
}

/// Calls `visit(reader, field)` for each field; false when the message is broken.
template <typename Visit>
bool for_each_field(std::string_view message, Visit visit) {
  WireReader reader(message);
  WireField field;
  auto state = reader.next(field);
  for (; state == WireState::kGood; state = reader.next(field)) visit(reader, field);
  return state == WireState::kEnd;
}

std::string text_of(const WireReader& reader, const WireField& field) {
  return field.type == WireType::kLength ? std::string(reader.content(field)) : std::string();
}

bool decode_opset(std::string_view message, OpsetFacts& opset) {
  return for_each_field(message, [&](const WireReader& reader, const WireField& field) {
    if (field.number == kName) opset.domain = text_of(reader, field);
    if (field.number == kVersion) opset.version = field.value;
  });
}

bool decode_value(std::string_view message, ValueFacts& value) {
  return for_each_field(message, [&](const WireReader& reader, const WireField& field) {
    if (field.number == kName) value.name = text_of(reader, field);
    if (field.number == kHasShape) value.has_shape = field.value != 0;
    if (field.number == kFixed) value.fixed = field.value != 0;
  });
}

bool decode_labelled(std::string_view message, LabelledOutput& output) {
  return for_each_field(message, [&](const WireReader& reader, const WireField& field) {
    if (field.number == kName) output.name = text_of(reader, field);
    if (field.number == kScores) output.scores = text_of(reader, field);
    if (field.number == kLabels) output.labels = text_of(reader, field);
    if (field.number == kCount) output.label_count = static_cast<std::int64_t>(field.value);
  });
}

}  // namespace

void append_number_field(std::string& out, std::uint32_t number, std::uint64_t value) {
  append_varint(out, std::uint64_t{number} << 3);
  append_varint(out, value);
}

std::string encode_facts(const ModelFacts& facts) {
  std::string out;
  append_number_field(out, kIrVersion, facts.ir_version);
  for (const auto& opset : facts.opsets) {
    std::string message;
    append_text_field(message, kName, opset.domain);
    append_number_field(message, kVersion, opset.version);
    append_text_field(out, kOpset, message);
  }
  for (const auto& value : facts.inputs) append_text_field(out, kInput, encode_value(value));
  for (const auto& value : facts.outputs) append_text_field(out, kOutput, encode_value(value));
  for (const auto& output : facts.labelled) {
    std::string message;
    append_text_field(message, kName, output.name);
    append_text_field(message, kScores, output.scores);
    append_text_field(message, kLabels, output.labels);
    append_number_field(message, kCount, static_cast<std::uint64_t>(output.label_count));
    append_text_field(out, kLabelled, message);
  }
  return out;
}

std::optional<ModelFacts> decode_facts(std::string_view bytes) {
  ModelFacts facts;
  bool good = true;
  const bool whole = for_each_field(bytes, [&](const WireReader& reader, const WireField& field) {
    const std::string_view content = field.type == WireType::kLength ? reader.content(field) : std::string_view();
    switch (field.number) {
      case kIrVersion: facts.ir_version = field.value; break;
      case kOpset: good = decode_opset(content, facts.opsets.emplace_back()) && good; break;
      case kInput: good = decode_value(content, facts.inputs.emplace_back()) && good; break;
      case kOutput: good = decode_value(content, facts.outputs.emplace_back()) && good; break;
      case kLabelled: good = decode_labelled(content, facts.labelled.emplace_back()) && good; break;
      default: good = false;
    }
  });
  if (!whole || !good) return std::nullopt;
  return facts;
}

}  // namespace protean
