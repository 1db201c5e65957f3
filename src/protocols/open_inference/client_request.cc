// SPDX-License-Identifier: Apache-2.0
// The mirror image of json_request.cc and grpc_request.cc; the tests send what is written here through those.
#include "protocols/open_inference/client_request.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <limits>
#include <protozero/pbf_builder.hpp>
#include <utility>

#include "protocols/open_inference/grpc_fields.h"
#include "protocols/open_inference/json_writer.h"
#include "protocols/open_inference/limits.h"

namespace protean {
namespace {

namespace dom = simdjson::dom;

enum class Form : unsigned char { kText, kBinary };

void write_parameters(JsonWriter& out, Form form, const Parameters& parameters, std::string_view form_member) {
  if (parameters.empty() && form == Form::kText) return;
  out.raw(",\"parameters\":{");
  out.parameters(parameters);
  if (form == Form::kBinary) {
    if (!parameters.empty()) out.raw(",");
    out.raw(form_member);
  }
  out.raw("}");
}

Status write_input(JsonWriter& out, const InferInput& input, Form form) {
  out.raw("{\"name\":");
  out.string(input.name);
  out.raw(",\"shape\":");
  out.integers(input.tensor.shape);
  out.raw(",\"datatype\":\"");
  out.raw(data_type_name(input.tensor.type));
  out.raw("\"");
  write_parameters(out, form, input.parameters, fmt::format("\"binary_data_size\":{}", input.tensor.data.size()));
  if (form == Form::kText) {
    out.raw(",\"data\":");
    TRY_STATUS(out.elements(input.tensor, input.name));
  }
  out.raw("}");
  return {};
}

/// Outputs of a recorded request keep their names only: the form of the answer is chosen here.
void write_outputs(JsonWriter& out, const InferRequest& request, Form form) {
  if (request.outputs.empty()) return;
  out.raw(",\"outputs\":[");
  std::string_view comma;
  for (const auto& output : request.outputs) {
    out.raw(std::exchange(comma, ","));
    out.raw("{\"name\":");
    out.string(output.name);
    if (form == Form::kBinary) out.raw(",\"parameters\":{\"binary_data\":true}");
    out.raw("}");
  }
  out.raw("]");
}

Parameters without_form(const Parameters& parameters) {
  Parameters kept;
  for (const auto& parameter : parameters) {
    if (parameter.first != "binary_data_size" && parameter.first != "binary_data_output") kept.push_back(parameter);
  }
  return kept;
}

Status write_request(JsonWriter& out, const InferRequest& request, Form form) {
  out.raw("{");
  if (!request.id.empty()) {
    out.raw("\"id\":");
    out.string(request.id);
    out.raw(",");
  }
  out.raw("\"inputs\":[");
  std::string_view comma;
  for (const auto& input : request.inputs) {
    out.raw(std::exchange(comma, ","));
    InferInput bare{input.name, input.tensor, without_form(input.parameters)};
    TRY_STATUS(write_input(out, bare, form));
  }
  out.raw("]");
  write_outputs(out, request, form);
  write_parameters(out, form, without_form(request.parameters), "\"binary_data_output\":true");
  out.raw("}");
  return {};
}

std::string tensor_message(const InferInput& input) {
  using Field = grpc_field::InferTensor;
  std::string bytes;
  protozero::pbf_builder<Field> out(bytes);
  const std::string_view type = data_type_name(input.tensor.type);
  out.add_string(Field::kName, input.name);
  out.add_string(Field::kDatatype, type.data(), type.size());
  out.add_packed_int64(Field::kShape, input.tensor.shape.begin(), input.tensor.shape.end());
  return bytes;
}

tl::unexpected<Error> unreadable(std::string_view what) {
  return fail(Code::kInvalidArgument, fmt::format("model metadata: {}", what));
}

Result<TensorSpec> read_tensor(dom::element element) {
  TensorSpec spec;
  std::string_view text;
  if (element["name"].get(text)) return unreadable("a tensor without 'name'");
  spec.name = text;
  if (element["datatype"].get(text)) return unreadable(fmt::format("tensor '{}' has no 'datatype'", spec.name));
  const auto type = parse_data_type(text);
  if (!type) return unreadable(fmt::format("tensor '{}' has the unknown datatype '{}'", spec.name, text));
  spec.type = *type;
  dom::array shape;
  if (element["shape"].get(shape)) return unreadable(fmt::format("tensor '{}' has no 'shape'", spec.name));
  for (const auto dimension : shape) {
    std::int64_t size = 0;
    if (dimension.get(size) || size < -1 || spec.shape.size() == kRankMax) {
      return unreadable(fmt::format("tensor '{}' has no usable 'shape'", spec.name));
    }
    spec.shape.push_back(size);
  }
  return spec;
}

Result<std::vector<TensorSpec>> read_tensors(dom::element root, std::string_view member) {
  std::vector<TensorSpec> specs;
  dom::array list;
  if (root[member].get(list)) return unreadable(fmt::format("no list '{}'", member));
  for (const auto element : list) {
    TRY(auto spec, read_tensor(element));
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace

Result<ClientInferBody> write_json_infer(const InferRequest& request) {
  JsonWriter out;
  TRY_STATUS(write_request(out, request, Form::kText));
  return ClientInferBody{std::move(out).finish().share(), 0};
}

ClientInferBody write_binary_infer(const InferRequest& request) {
  JsonWriter out;
  // Only elements written as text can be refused, and there are none.
  (void)write_request(out, request, Form::kBinary);
  const std::size_t json_bytes = out.size();
  Buffer body = std::move(out).finish();
  for (const auto& input : request.inputs) body.append(input.tensor.data.bytes);
  return {std::move(body).share(), json_bytes};
}

Result<Slice> write_grpc_infer(const InferRequest& request) {
  using Field = grpc_field::InferRequest;
  constexpr std::size_t kMessageMax = std::numeric_limits<std::int32_t>::max();
  std::size_t total = 0;
  for (const auto& input : request.inputs) total += std::min(input.tensor.data.size(), kMessageMax);
  if (total > kMessageMax - (kMessageMax >> 4)) {
    return fail(Code::kResourceExhausted,
                fmt::format("the inputs have {} bytes or more, too many for one protobuf message", total));
  }
  std::string bytes;
  protozero::pbf_builder<Field> out(bytes);
  out.add_string(Field::kModelName, request.model);
  if (!request.version.empty()) out.add_string(Field::kModelVersion, request.version);
  if (!request.id.empty()) out.add_string(Field::kId, request.id);
  for (const auto& input : request.inputs) out.add_message(Field::kInputs, tensor_message(input));
  for (const auto& output : request.outputs) {
    std::string name;
    protozero::pbf_builder<grpc_field::RequestedOutput>(name).add_string(grpc_field::RequestedOutput::kName,
                                                                         output.name);
    out.add_message(Field::kOutputs, name);
  }
  for (const auto& input : request.inputs) {
    const std::string_view data = input.tensor.data.text();
    out.add_bytes(Field::kRawInputContents, data.data(), data.size());
  }
  return Slice::of(std::move(bytes));
}

Result<ModelInfo> read_json_metadata(std::string_view text) {
  dom::parser parser;
  dom::element root;
  if (parser.parse(text.data(), text.size()).get(root) || !root.is_object()) return unreadable("not a JSON object");
  ModelInfo info;
  std::string_view name;
  if (root["name"].get(name)) return unreadable("no 'name'");
  info.model = name;
  if (dom::array versions; !root["versions"].get(versions)) {
    for (const auto version : versions) {
      if (!version.get(name)) info.versions.emplace_back(name);
    }
  }
  auto signature = std::make_shared<Signature>();
  if (!root["platform"].get(name)) signature->platform = name;
  TRY(signature->inputs, read_tensors(root, "inputs"));
  TRY(signature->outputs, read_tensors(root, "outputs"));
  info.signature = std::move(signature);
  return info;
}

std::string read_json_error(std::string_view text) {
  dom::parser parser;
  dom::element root;
  std::string_view message;
  const bool found = !parser.parse(text.data(), text.size()).get(root) && !root["error"].get(message);
  return std::string(found ? message : text);
}

}  // namespace protean
