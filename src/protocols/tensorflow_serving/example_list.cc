// SPDX-License-Identifier: Apache-2.0
// Features are written to the wire format as they are met; nothing is kept in between.
#include "protocols/tensorflow_serving/example_list.h"

#include <fmt/format.h>

#include <protozero/pbf_builder.hpp>

#include "protocols/tensorflow_serving/base64.h"
#include "protocols/tensorflow_serving/grpc_fields.h"
#include "protocols/tensorflow_serving/json_document.h"

namespace protean::tfserving {
namespace {

/// The elements of one feature; the first one decides what they are.
class FeatureWriter {
 public:
  explicit FeatureWriter(std::string name) : name_(std::move(name)) {}

  Status add(const JsonValue& value) {
    switch (value.type()) {
      case JsonType::kTrue:
      case JsonType::kFalse: return add_int(value.is(JsonType::kTrue) ? 1 : 0);
      case JsonType::kString: return add_bytes(value.string());
      case JsonType::kNumber: return add_number(value.number());
      case JsonType::kObject:
        if (const auto coded = value.base64_text()) {
          TRY_STATUS(become(field::Feature::kBytes));
          const auto bytes = decode_base64(*coded);
          if (!bytes) return fail(Code::kInvalidArgument, "Unable to base64 decode");
          return add_bytes(*bytes);
        }
        [[fallthrough]];
      default:
        return fail(Code::kInvalidArgument, fmt::format("Feature: {} has element with unexpected JSON type: {}", name_,
                                                        json_type_name(value.type())));
    }
  }

  /// The map entry of tensorflow.Features.
  std::string finish() const {
    std::string list;
    protozero::pbf_builder<field::List> values(list);
    if (!floats_.empty()) values.add_packed_float(field::List::kValue, floats_.begin(), floats_.end());
    if (!ints_.empty()) values.add_packed_int64(field::List::kValue, ints_.begin(), ints_.end());
    std::string feature;
    if (kind_) protozero::pbf_builder<field::Feature>(feature).add_message(*kind_, list + texts_);
    std::string entry;
    protozero::pbf_builder<field::MapEntry> out(entry);
    out.add_string(field::MapEntry::kKey, name_);
    out.add_message(field::MapEntry::kValue, feature);
    return entry;
  }

 private:
  Status become(field::Feature kind) {
    if (!kind_) kind_ = kind;
    if (kind_ == kind) return {};
    const std::string_view expected = kind_ == field::Feature::kBytes    ? "bytes"
                                      : kind_ == field::Feature::kFloats ? "float"
                                                                         : "int64";
    return fail(Code::kInvalidArgument,
                fmt::format("Unexpected element type in feature: {} expecting type: {}", name_, expected));
  }

  Status add_number(const NumberToken& number) {
    if (number.kind == NumberKind::kDouble) {
      TRY_STATUS(become(field::Feature::kFloats));
      floats_.push_back(static_cast<float>(number.real));
      return {};
    }
    const auto whole = number.whole<std::int64_t>();
    if (whole) return add_int(*whole);
    TRY_STATUS(become(field::Feature::kInts));
    return fail(Code::kInvalidArgument,
                fmt::format("Feature: {} has uint64_t element. Only int64_t is supported.", name_));
  }

  Status add_int(std::int64_t value) {
    TRY_STATUS(become(field::Feature::kInts));
    ints_.push_back(value);
    return {};
  }

  Status add_bytes(const std::string& value) {
    TRY_STATUS(become(field::Feature::kBytes));
    protozero::pbf_builder<field::List>(texts_).add_bytes(field::List::kValue, value);
    return {};
  }

  const std::string name_;
  std::optional<field::Feature> kind_;
  std::vector<float> floats_;
  std::vector<std::int64_t> ints_;
  std::string texts_;
};

Result<std::string> write_example(const JsonValue& object) {
  if (!object.is(JsonType::kObject)) {
    return fail(Code::kInvalidArgument,
                fmt::format("Example must be JSON object but got JSON {}", json_type_name(object.type())));
  }
  std::string features;
  protozero::pbf_builder<field::Features> out(features);
  for (JsonMembers member(object); member; member.next()) {
    FeatureWriter feature(member.name());
    if (member.value().is(JsonType::kArray)) {
      for (JsonElements at(member.value()); at; at.next()) TRY_STATUS(feature.add(at.value()));
    } else {
      TRY_STATUS(feature.add(member.value()));
    }
    out.add_message(field::Features::kFeature, feature.finish());
  }
  std::string example;
  protozero::pbf_builder<field::Example>(example).add_message(field::Example::kFeatures, features);
  return example;
}

}  // namespace

Result<ExampleList> read_input(protozero::data_view message) {
  ExampleList examples;
  std::string context;
  protozero::pbf_message<field::Input> fields(message);
  while (fields.next()) {
    const auto tag = fields.tag();
    const auto list = field::view(fields);
    if (!list || (tag != field::Input::kExamples && tag != field::Input::kExamplesWithContext)) continue;
    protozero::pbf_message<field::Examples> members(*list);
    while (members.next()) {
      const auto member = members.tag();
      const auto view = field::view(members);
      if (!view) continue;
      if (member == field::Examples::kExamples) examples.emplace_back(view->data(), view->size());
      if (member == field::Examples::kContext && tag == field::Input::kExamplesWithContext) {
        context.append(view->data(), view->size());
      }
    }
  }
  if (examples.empty()) return fail(Code::kInvalidArgument, "Input is empty.");
  if (!context.empty()) {
    for (auto& example : examples) example.insert(0, context);
  }
  return examples;
}

Result<ExampleList> read_json_examples(const Slice& body, std::size_t depth_max) {
  TRY(const JsonValue root, read_document(body.text(), depth_max));
  std::string context;
  if (const auto found = root.find("context")) {
    TRY(context, write_example(*found));
  }
  const auto list = root.find("examples");
  if (!list) return format_error(root, "When method is classify, key 'examples' is expected and was not found");
  if (!list->is(JsonType::kArray)) return format_error(root, "Expecting 'examples' value to be an list/array");
  ExampleList examples;
  for (JsonElements at(*list); at; at.next()) {
    TRY(std::string example, write_example(at.value()));
    examples.push_back(context + example);
  }
  if (examples.empty()) return format_error(root, "'examples' value is an empty array");
  return examples;
}

}  // namespace protean::tfserving
