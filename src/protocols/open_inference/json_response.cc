// SPDX-License-Identifier: Apache-2.0
// Members appear in the order of the specification; what is unset is left out.
#include "protocols/open_inference/json_response.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "protocols/open_inference/json_writer.h"

namespace protean {
namespace {

/// Binary outputs up to this size are copied behind the JSON: one part less to send is worth more.
constexpr std::size_t kCopiedMax = 4096;

Response json(int status, JsonWriter&& writer) {
  return make_response(status, "application/json", std::move(writer).finish().share());
}

bool flag(const Parameters& parameters, std::string_view name) noexcept {
  const Parameter* value = find_parameter(parameters, name);
  const bool* truth = value == nullptr ? nullptr : std::get_if<bool>(value);
  return truth != nullptr && *truth;
}

/// A listed output decides for itself, whatever the request says; without a list the request decides for all.
bool wants_binary(const InferRequest& request, std::string_view output) noexcept {
  if (request.outputs.empty()) return flag(request.parameters, "binary_data_output");
  const auto found = std::ranges::find(request.outputs, output, &RequestedOutput::name);
  return found != request.outputs.end() && flag(found->parameters, "binary_data");
}

void optional_parameters(JsonWriter& out, const Parameters& parameters) {
  if (parameters.empty()) return;
  out.raw(",\"parameters\":{");
  out.parameters(parameters);
  out.raw("}");
}

void tensor_head(JsonWriter& out, const InferOutput& output) {
  out.raw("{\"name\":");
  out.string(output.name);
  out.raw(",\"datatype\":\"");
  out.raw(data_type_name(output.tensor.type));
  out.raw("\",\"shape\":");
  out.integers(output.tensor.shape);
}

void binary_tensor(JsonWriter& out, const InferOutput& output) {
  out.raw(",\"parameters\":{");
  out.parameters(output.parameters);
  if (!output.parameters.empty()) out.raw(",");
  out.raw("\"binary_data_size\":");
  out.unsigned_integer(output.tensor.data.size());
  out.raw("}}");
}

Status json_tensor(JsonWriter& out, const InferOutput& output) {
  optional_parameters(out, output.parameters);
  out.raw(",\"data\":");
  TRY_STATUS(out.elements(output.tensor, output.name));
  out.raw("}");
  return {};
}

void reply_head(JsonWriter& out, const InferResult& result) {
  out.raw("{\"model_name\":");
  out.string(result.model);
  out.raw(",\"model_version\":");
  out.string(result.version);
  if (!result.id.empty()) {
    out.raw(",\"id\":");
    out.string(result.id);
  }
  optional_parameters(out, result.parameters);
  out.raw(",\"outputs\":[");
}

Response with_binary(JsonWriter&& writer, const std::vector<const Tensor*>& tensors) {
  Response response;
  response.headers.emplace_back("content-type", "application/octet-stream");
  response.headers.emplace_back("inference-header-content-length", std::to_string(writer.size()));
  Buffer copied = std::move(writer).finish();
  for (const Tensor* tensor : tensors) {
    if (tensor->data.size() <= kCopiedMax) {
      copied.append(tensor->data.bytes);
      continue;
    }
    if (!copied.empty()) response.body.push_back(std::exchange(copied, Buffer()).share());
    response.body.push_back(tensor->data);
  }
  if (!copied.empty()) response.body.push_back(std::move(copied).share());
  return response;
}

void metadata_tensors(JsonWriter& out, const std::vector<TensorSpec>& specs) {
  out.raw("[");
  std::string_view comma;
  for (const auto& spec : specs) {
    out.raw(std::exchange(comma, ","));
    out.raw("{\"name\":");
    out.string(spec.name);
    out.raw(",\"datatype\":\"");
    out.raw(data_type_name(spec.type));
    out.raw("\",\"shape\":");
    out.integers(spec.shape);
    optional_parameters(out, spec.parameters);
    out.raw("}");
  }
  out.raw("]");
}

void strings(JsonWriter& out, const std::vector<std::string>& texts) {
  out.raw("[");
  std::string_view comma;
  for (const auto& text : texts) {
    out.raw(std::exchange(comma, ","));
    out.string(text);
  }
  out.raw("]");
}

void optional_string(JsonWriter& out, std::string_view member, std::string_view value) {
  if (value.empty()) return;
  out.raw(",");
  out.string(member);
  out.raw(":");
  out.string(value);
}

double element(const Tensor& tensor, std::size_t index) noexcept {
  double value = 0;
  std::memcpy(&value, tensor.data.data() + index * sizeof value, sizeof value);
  return value;
}

/// `{"name", "base", "rows": [{"total", "contributions": [one a feature]}]}`.
void explained_output(JsonWriter& out, const Contributions& from, std::size_t output) {
  const std::size_t outputs = from.outputs.size();
  const std::size_t features = from.features.size();
  const std::size_t rows = from.totals.data.size() / sizeof(double) / outputs;
  out.raw("{\"name\":");
  out.string(from.outputs[output]);
  out.raw(",\"base\":");
  out.number(element(from.base, output));
  out.raw(",\"rows\":[");
  for (std::size_t row = 0; row < rows; ++row) {
    out.raw(row == 0 ? "{\"total\":" : ",{\"total\":");
    out.number(element(from.totals, row * outputs + output));
    out.raw(",\"contributions\":[");
    for (std::size_t feature = 0; feature < features; ++feature) {
      if (feature != 0) out.raw(",");
      out.number(element(from.values, (row * features + feature) * outputs + output));
    }
    out.raw("]}");
  }
  out.raw("]}");
}

void columns_member(JsonWriter& out, const std::vector<Column>& columns) {
  if (columns.empty()) return;
  out.raw(",\"columns\":[");
  std::string_view comma;
  for (const auto& column : columns) {
    out.raw(std::exchange(comma, ","));
    out.raw("{\"name\":");
    out.string(column.name);
    out.raw(",\"datatype\":\"");
    out.raw(data_type_name(column.type));
    out.raw("\",\"nullable\":");
    out.boolean(column.nullable);
    if (!column.categories.empty()) {
      out.raw(",\"categories\":");
      strings(out, column.categories);
    }
    out.raw("}");
  }
  out.raw("]");
}

}  // namespace

Result<Response> encode_json_infer(const InferRequest& request, const InferResult& result) {
  JsonWriter out;
  reply_head(out, result);
  std::vector<const Tensor*> binary;
  std::string_view comma;
  for (const auto& output : result.outputs) {
    out.raw(std::exchange(comma, ","));
    tensor_head(out, output);
    if (wants_binary(request, output.name)) {
      binary_tensor(out, output);
      binary.push_back(&output.tensor);
    } else {
      TRY_STATUS(json_tensor(out, output));
    }
  }
  out.raw("]}");
  return binary.empty() ? json(200, std::move(out)) : with_binary(std::move(out), binary);
}

Response encode_json_explanation(const Explanation& explanation) {
  const Contributions& from = explanation.contributions;
  JsonWriter out;
  out.raw("{\"model_name\":");
  out.string(explanation.model);
  out.raw(",\"model_version\":");
  out.string(explanation.version);
  optional_string(out, "id", explanation.id);
  optional_string(out, "method", from.method);
  optional_string(out, "scale", from.scale);
  out.raw(",\"additivity_error\":");
  out.number(explanation.additivity_error);
  out.raw(",\"features\":");
  strings(out, from.features);
  out.raw(",\"outputs\":[");
  std::string_view comma;
  for (std::size_t i = 0; i < from.outputs.size(); ++i) {
    out.raw(std::exchange(comma, ","));
    explained_output(out, from, i);
  }
  out.raw("]}");
  return json(200, std::move(out));
}

Response encode_json_health(std::string_view member, bool healthy) {
  JsonWriter out;
  out.raw("{");
  out.string(member);
  out.raw(":");
  out.boolean(healthy);
  out.raw("}");
  return json(healthy ? 200 : 503, std::move(out));
}

Response encode_json_model_ready(std::string_view model, bool ready) {
  JsonWriter out;
  out.raw("{\"name\":");
  out.string(model);
  out.raw(",\"ready\":");
  out.boolean(ready);
  out.raw("}");
  return json(ready ? 200 : 503, std::move(out));
}

Response encode_json_server(const ServerInfo& info) {
  JsonWriter out;
  out.raw("{\"name\":");
  out.string(info.name);
  out.raw(",\"version\":");
  out.string(info.version);
  out.raw(",\"extensions\":");
  strings(out, info.extensions);
  out.raw("}");
  return json(200, std::move(out));
}

Response encode_json_model(const ModelInfo& info) {
  static const Signature kNone;
  const Signature& signature = info.signature == nullptr ? kNone : *info.signature;
  JsonWriter out;
  out.raw("{\"name\":");
  out.string(info.model);
  out.raw(",\"versions\":");
  strings(out, info.versions);
  out.raw(",\"platform\":");
  out.string(signature.platform);
  out.raw(",\"inputs\":");
  metadata_tensors(out, signature.inputs);
  out.raw(",\"outputs\":");
  metadata_tensors(out, signature.outputs);
  columns_member(out, signature.columns);
  out.raw("}");
  return json(200, std::move(out));
}

Response encode_json_names(const std::vector<VersionStatus>& versions) {
  std::vector<std::string> names;
  for (const auto& version : versions) {
    if (std::ranges::find(names, version.model) == names.end()) names.push_back(version.model);
  }
  JsonWriter out;
  out.raw("{\"models\":");
  strings(out, names);
  out.raw("}");
  return json(200, std::move(out));
}

Response encode_json_index(const std::vector<VersionStatus>& versions) {
  JsonWriter out;
  out.raw("[");
  std::string_view comma;
  for (const auto& version : versions) {
    out.raw(std::exchange(comma, ","));
    out.raw("{\"name\":");
    out.string(version.model);
    optional_string(out, "version", version.version);
    optional_string(out, "state", version_state_name(version.state));
    optional_string(out, "reason", version.reason);
    out.raw("}");
  }
  out.raw("]");
  return json(200, std::move(out));
}

Response encode_json_repository_call(std::string_view model, std::string_view verb) {
  JsonWriter out;
  out.raw("{\"name\":");
  out.string(model);
  out.raw(",");
  out.string(verb);
  out.raw(":true}");
  return json(200, std::move(out));
}

Response encode_json_error(int status, std::string_view message) {
  JsonWriter out;
  out.raw("{\"error\":");
  out.string(message);
  out.raw("}");
  return json(status, std::move(out));
}

}  // namespace protean
