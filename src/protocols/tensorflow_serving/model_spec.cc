// SPDX-License-Identifier: Apache-2.0
// A message of four fields.
#include "protocols/tensorflow_serving/model_spec.h"

#include <fmt/format.h>

#include <protozero/pbf_builder.hpp>

#include "base/text.h"
#include "core/model.h"
#include "protocols/tensorflow_serving/grpc_fields.h"

namespace protean::tfserving {
namespace {

std::int64_t read_int64_value(protozero::data_view message) {
  std::int64_t value = 0;
  protozero::pbf_message<field::Int64Value> fields(message);
  while (fields.next()) {
    if (fields.tag() != field::Int64Value::kValue) {
      fields.skip();
    } else if (const auto number = field::varint(fields)) {
      value = static_cast<std::int64_t>(*number);
    }
  }
  return value;
}

}  // namespace

Status read_model_spec(protozero::data_view message, ModelSpec& spec) {
  protozero::pbf_message<field::ModelSpec> fields(message);
  while (fields.next()) {
    const auto tag = fields.tag();
    const auto view = field::view(fields);
    if (!view) continue;
    if (tag == field::ModelSpec::kVersion) {
      spec.version = read_int64_value(*view);
      spec.label.reset();
      continue;
    }
    const std::string_view text = field::text(*view);
    if (!is_utf8(text)) return fail(Code::kInternal, "malformed ModelSpec: text that is not UTF-8");
    if (tag == field::ModelSpec::kName) spec.name = text;
    if (tag == field::ModelSpec::kSignatureName) spec.signature = text;
    if (tag == field::ModelSpec::kVersionLabel) {
      spec.label = std::string(text);
      spec.version.reset();
    }
  }
  return {};
}

Status check_model_spec(const std::optional<ModelSpec>& spec) {
  if (!spec) return fail(Code::kInvalidArgument, "Missing ModelSpec");
  if (spec->name.empty()) return fail(Code::kInvalidArgument, "ModelSpec has no name specified.");
  return {};
}

std::string version_of_label(const std::string& label) {
  return label.empty() || parse_uint64(label) ? "label " + label : label;
}

std::string version_text(const ModelSpec& spec) {
  if (spec.version) return std::to_string(*spec.version);
  return spec.label ? version_of_label(*spec.label) : std::string();
}

void set_model(InferRequest& request, const ModelSpec& spec) {
  request.model = spec.name;
  request.version = version_text(spec);
  request.function = spec.signature.empty() ? std::string(kMainFunction) : spec.signature;
}

Asked asked_for(const ModelSpec& spec) {
  Asked asked{spec.name, {}, spec.label, spec.signature.empty() ? std::string(kMainFunction) : spec.signature};
  if (spec.version) asked.version = std::to_string(*spec.version);
  return asked;
}

std::string write_model_spec(const std::string& name, const std::string& version, const std::string& signature) {
  std::string bytes;
  protozero::pbf_builder<field::ModelSpec> out(bytes);
  if (!name.empty()) out.add_string(field::ModelSpec::kName, name);
  std::string number;
  if (const auto value = parse_uint64(version); value && *value != 0) {
    protozero::pbf_builder<field::Int64Value>(number).add_uint64(field::Int64Value::kValue, *value);
  }
  out.add_message(field::ModelSpec::kVersion, number);
  if (!signature.empty()) out.add_string(field::ModelSpec::kSignatureName, signature);
  return bytes;
}

}  // namespace protean::tfserving
