// SPDX-License-Identifier: Apache-2.0
// Builds the document with nlohmann::json; it is asked for rarely and may take a millisecond.
#include "protocols/documentation/openapi.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/example_request.h"

namespace protean {
namespace {

using Json = nlohmann::ordered_json;

Json reference(std::string_view name) { return {{"$ref", fmt::format("#/components/{}", name)}}; }

Json answer(std::string_view description, Json schema) {
  return {{"description", description}, {"content", {{"application/json", {{"schema", std::move(schema)}}}}}};
}

Json answers(Json success) { return {{"200", std::move(success)}, {"default", reference("responses/Error")}}; }

/// `schema`: of the 200 answer.
Json operation(std::string_view id, std::string_view summary, std::string_view tag, Json schema) {
  return {{"operationId", id},
          {"summary", summary},
          {"tags", Json::array({tag})},
          {"responses", answers(answer("The answer.", std::move(schema)))}};
}

template <typename T>
Json integers() {
  return {{"type", "integer"}, {"minimum", std::numeric_limits<T>::min()}, {"maximum", std::numeric_limits<T>::max()}};
}

Json element_schema(DataType type) {
  switch (type) {
    case DataType::kBool: return {{"type", "boolean"}};
    case DataType::kUint8: return integers<std::uint8_t>();
    case DataType::kUint16: return integers<std::uint16_t>();
    case DataType::kUint32: return integers<std::uint32_t>();
    case DataType::kUint64: return integers<std::uint64_t>();
    case DataType::kInt8: return integers<std::int8_t>();
    case DataType::kInt16: return integers<std::int16_t>();
    case DataType::kInt32: return integers<std::int32_t>();
    case DataType::kInt64: return integers<std::int64_t>();
    case DataType::kBytes: return {{"type", "string"}};
    default: return {{"type", "number"}};
  }
}

Json shape_schema(const Shape& shape) {
  Json dimensions = Json::array();
  for (const auto dimension : shape) {
    if (dimension < 0) {
      dimensions.push_back({{"type", "integer"}, {"minimum", 0}});
    } else {
      dimensions.push_back({{"const", dimension}});
    }
  }
  Json schema = {{"type", "array"}, {"minItems", shape.size()}, {"maxItems", shape.size()}};
  if (!shape.empty()) schema["prefixItems"] = std::move(dimensions);
  return schema;
}

Json tensor_schema(const TensorSpec& tensor) {
  const Json elements = {
      {"type", "array"},
      {"description", "Row-major, flat or nested. Absent when `parameters.binary_data_size` announces binary data."},
      {"items", {{"anyOf", Json::array({element_schema(tensor.type), {{"type", "array"}}})}}}};
  return {{"type", "object"},
          {"title", tensor.name},
          {"description", fmt::format("{} {}{}", data_type_name(tensor.type), format_shape(tensor.shape),
                                      tensor.optional ? ", may be left out" : "")},
          {"required", Json::array({"name", "shape", "datatype"})},
          {"properties",
           {{"name", {{"const", tensor.name}}},
            {"shape", shape_schema(tensor.shape)},
            {"datatype", {{"const", data_type_name(tensor.type)}}},
            {"parameters", reference("schemas/Parameters")},
            {"data", elements}}}};
}

Json tensors_schema(const std::vector<TensorSpec>& tensors) {
  if (tensors.empty()) return {{"type", "array"}, {"maxItems", 0}};
  Json alternatives = Json::array();
  for (const auto& tensor : tensors) alternatives.push_back(tensor_schema(tensor));
  return {{"type", "array"}, {"maxItems", tensors.size()}, {"items", {{"anyOf", std::move(alternatives)}}}};
}

Json cell_schema(const Column& column) {
  Json schema = element_schema(column.type);
  if (column.type == DataType::kBytes && !column.categories.empty()) schema["enum"] = column.categories;
  if (!column.nullable) return schema;
  return {{"anyOf", Json::array({std::move(schema), {{"type", "null"}}})}};
}

/// A table may come as `records`, or as one tensor a column instead of the model's own inputs.
void add_columns(const Signature& signature, Json& schema) {
  Json cells = Json::object();
  Json required = Json::array();
  Json columns = Json::array();
  for (const auto& column : signature.columns) {
    cells[column.name] = cell_schema(column);
    if (!column.nullable || column.required) required.push_back(column.name);
    columns.push_back(tensor_schema(TensorSpec{column.name, column.type, {-1}, {}}));
  }
  schema.erase("required");
  schema["anyOf"] = Json::array({{{"required", Json::array({"records"})}}, {{"required", Json::array({"inputs"})}}});
  schema["properties"]["records"] = {
      {"type", "array"},
      {"minItems", 1},
      {"description", "One object a row, instead of `inputs`."},
      {"items", {{"type", "object"}, {"properties", std::move(cells)}, {"required", std::move(required)}}}};
  Json& inputs = schema["properties"]["inputs"];
  inputs["maxItems"] = std::max(signature.columns.size(), signature.inputs.size());
  for (auto& column : columns) inputs["items"]["anyOf"].push_back(std::move(column));
}

Json request_schema(const Signature& signature) {
  Json names = Json::array();
  for (const auto& output : signature.outputs) names.push_back(output.name);
  Json output = {{"type", "object"},
                 {"required", Json::array({"name"})},
                 {"properties", {{"name", {{"type", "string"}}}, {"parameters", reference("schemas/Parameters")}}}};
  if (!names.empty()) output["properties"]["name"]["enum"] = std::move(names);
  Json schema = {{"type", "object"},
                 {"required", Json::array({"inputs"})},
                 {"properties",
                  {{"id", {{"type", "string"}, {"description", "Returned with the answer."}}},
                   {"parameters", reference("schemas/Parameters")},
                   {"inputs", tensors_schema(signature.inputs)},
                   {"outputs", {{"type", "array"}, {"description", "All outputs when absent."}, {"items", output}}}}}};
  if (!signature.columns.empty()) add_columns(signature, schema);
  return schema;
}

Json response_schema(const Signature& signature) {
  return {{"type", "object"},
          {"required", Json::array({"model_name", "outputs"})},
          {"properties",
           {{"model_name", {{"type", "string"}}},
            {"model_version", {{"type", "string"}}},
            {"id", {{"type", "string"}}},
            {"parameters", reference("schemas/Parameters")},
            {"outputs", tensors_schema(signature.outputs)}}}};
}

Json binary_content(std::string_view description) {
  return {{"schema", {{"type", "string"}, {"format", "binary"}, {"description", description}}}};
}

Json infer_operation(std::string_view id, std::string_view title, const VersionStatus& version) {
  const Signature& signature = *version.signature;
  Json json_content = {{"schema", request_schema(signature)}};
  // An example whose data follows as binary would not be valid JSON on its own.
  if (example_binary_bytes(signature) == 0) json_content["example"] = Json::parse(example_infer_json(signature));
  Json post = operation(id, fmt::format("Run {}", title), version.model, response_schema(signature));
  post["parameters"] = Json::array({reference("parameters/InferenceHeaderContentLength")});
  post["requestBody"] = {
      {"required", true},
      {"content",
       {{"application/json", std::move(json_content)},
        {"application/octet-stream", binary_content("A JSON request, then the bytes of its binary tensors.")}}}};
  post["responses"]["200"]["content"]["application/octet-stream"] =
      binary_content("A JSON answer, then the bytes of its binary tensors.");
  return post;
}

/// The same question, answered with events; what their data holds is the answer of infer.
Json stream_operation(std::string_view id, std::string_view title, const VersionStatus& version) {
  Json post = infer_operation(id, title, version);
  post["responses"]["200"]["content"] = {
      {"text/event-stream",
       {{"schema", {{"type", "string"}, {"description", "One event for each part; its data is a JSON answer."}}}}}};
  return post;
}

/// The paths of one model or version. `id`: unique in the document.
void add_model_paths(Json& paths, const VersionStatus& version, bool with_version, std::string_view id) {
  const std::string path = model_path(version.model, with_version ? version.version : "");
  const std::string title =
      with_version ? fmt::format("{}, version {}", version.model, version.version) : version.model;
  paths[path]["get"] = operation(fmt::format("metadata_{}", id), fmt::format("Signature of {}", title), version.model,
                                 reference("schemas/ModelMetadata"));
  paths[path + "/ready"]["get"] = operation(fmt::format("ready_{}", id), fmt::format("Whether {} is ready", title),
                                            version.model, {{"type", "object"}});
  paths[path + "/infer"]["post"] = infer_operation(fmt::format("infer_{}", id), title, version);
  if (version.signature->streams) {
    paths[path + "/infer_stream"]["post"] = stream_operation(fmt::format("infer_stream_{}", id), title, version);
  }
}

Json general_paths() {
  constexpr std::string_view kServer = "Server";
  constexpr std::string_view kRepository = "Repository";
  const Json object = {{"type", "object"}};
  const Json model =
      Json::array({{{"name", "model"}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}}});
  Json paths;
  paths["/v2"]["get"] =
      operation("server_metadata", "Name, version and extensions", kServer, reference("schemas/ServerMetadata"));
  paths["/v2/health/live"]["get"] = operation("server_live", "Whether the server runs", kServer, object);
  paths["/v2/health/ready"]["get"] = operation("server_ready", "Whether the server takes requests", kServer, object);
  paths["/v2/repository/index"]["post"] =
      operation("repository_index", "Every model and version with its state", kRepository,
                {{"type", "array"}, {"items", reference("schemas/ModelState")}});
  for (const std::string verb : {"load", "unload"}) {
    Json post = operation("repository_" + verb, verb == "load" ? "Load or read a model again" : "Unload a model",
                          kRepository, object);
    post["parameters"] = model;
    paths["/v2/repository/models/{model}/" + verb]["post"] = std::move(post);
  }
  Json metrics = operation("metrics", "Figures for Prometheus", kServer, {});
  metrics["responses"] = {{"200",
                           {{"description", "Prometheus text, or OpenMetrics when asked for."},
                            {"content", {{"text/plain", {{"schema", {{"type", "string"}}}}}}}}}};
  paths["/metrics"]["get"] = std::move(metrics);
  return paths;
}

Json components() {
  const Json text = {{"type", "string"}};
  const Json tensors = {{"type", "array"},
                        {"items",
                         {{"type", "object"},
                          {"properties",
                           {{"name", text},
                            {"datatype", text},
                            {"shape", {{"type", "array"}, {"items", {{"type", "integer"}, {"minimum", -1}}}}}}}}}};
  const Json texts = {{"type", "array"}, {"items", text}};
  const auto object = [](Json properties) { return Json{{"type", "object"}, {"properties", std::move(properties)}}; };
  Json out;
  out["schemas"]["Error"] = object({{"error", text}});
  out["schemas"]["Parameters"] = {{"type", "object"},
                                  {"additionalProperties", {{"type", Json::array({"string", "number", "boolean"})}}}};
  out["schemas"]["ServerMetadata"] = object({{"name", text}, {"version", text}, {"extensions", texts}});
  out["schemas"]["ModelMetadata"] =
      object({{"name", text}, {"versions", texts}, {"platform", text}, {"inputs", tensors}, {"outputs", tensors}});
  out["schemas"]["ModelState"] =
      object({{"name", text},
              {"version", text},
              {"state", {{"type", "string"}, {"enum", {"LOADING", "READY", "UNLOADING", "UNAVAILABLE"}}}},
              {"reason", text}});
  out["responses"]["Error"] = answer("What went wrong.", reference("schemas/Error"));
  out["parameters"]["InferenceHeaderContentLength"] = {
      {"name", "Inference-Header-Content-Length"},
      {"in", "header"},
      {"required", false},
      {"description", "Bytes of the JSON part when binary tensors follow it."},
      {"schema", {{"type", "integer"}, {"minimum", 0}}}};
  return out;
}

}  // namespace

std::string format_openapi(std::span<const VersionStatus> models, std::string_view url) {
  Json paths = general_paths();
  std::size_t number = 0;
  for (const auto& version : models) {
    if (version.state != VersionState::kReady || !version.signature) continue;
    const std::string id = fmt::format("{}", ++number);
    if (version.is_default) add_model_paths(paths, version, false, id + "_default");
    if (!version.version.empty()) add_model_paths(paths, version, true, id);
  }
  const Json document = {
      {"openapi", "3.1.0"},
      {"info",
       {{"title", "Protean"},
        {"version", PROTEAN_VERSION},
        {"description",
         "Inference on the models that are loaded now (Open Inference Protocol v2 with the binary tensor "
         "data and model repository extensions)."}}},
      {"servers", Json::array({{{"url", url}}})},
      {"paths", std::move(paths)},
      {"components", components()}};
  // Names come from model files and may hold anything; what is not UTF-8 is shown as U+FFFD.
  return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace protean
