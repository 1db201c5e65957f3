// SPDX-License-Identifier: Apache-2.0
// Builds example requests by hand, without a JSON library: the text is short and core wraps none.
#include "core/example_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked_math.h"
#include "base/text.h"

namespace protean {
namespace {

std::size_t example_elements(const Shape& shape) {
  // A shape that no request could carry has no example either; it is shown with nothing in it.
  return element_count(shape).value_or(0);
}

bool travels_as_binary(const TensorSpec& input) {
  return example_elements(example_shape(input.shape)) > kExampleElementsMax;
}

/// Bytes of a tensor full of zeros; an empty BYTES element is its four-byte length.
std::size_t zero_bytes(const TensorSpec& input) {
  const std::size_t size = input.type == DataType::kBytes ? 4 : element_size(input.type);
  return checked_mul(example_elements(example_shape(input.shape)), size).value_or(0);
}

void append_data(std::string& out, const TensorSpec& input) {
  const std::size_t count = example_elements(example_shape(input.shape));
  out += '[';
  for (std::size_t i = 0; i < count; ++i) {
    if (i != 0) out += ',';
    out += example_value(input.type);
  }
  out += ']';
}

/// Whether the example says everything in JSON.
bool is_all_text(const Signature& signature) noexcept {
  return !signature.example.empty() || example_has_columns(signature);
}

std::string example_record(const Signature& signature) {
  std::string out = R"({"records":[{)";
  for (const auto& column : signature.columns) {
    if (&column != &signature.columns.front()) out += ',';
    append_json_string(out, column.name);
    out += ':' + example_cell(column);
  }
  return out + "}]}";
}

bool is_unreserved(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

std::string percent_encode(std::string_view segment) {
  std::string out;
  for (const char c : segment) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

Shape example_shape(const Shape& shape) {
  Shape example = shape;
  std::replace_if(
      example.begin(), example.end(), [](std::int64_t d) { return d < 0; }, 1);
  return example;
}

std::string_view example_value(DataType type) noexcept {
  switch (type) {
    case DataType::kBool: return "true";
    case DataType::kBytes: return "\"text\"";
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kFp32:
    case DataType::kFp64: return "0.5";
    default: return "1";
  }
}

bool left_out_of_example(const Signature& signature, const TensorSpec& input) noexcept {
  return input.optional && std::any_of(signature.inputs.begin(), signature.inputs.end(),
                                       [](const TensorSpec& other) { return !other.optional; });
}

std::string example_cell(const Column& column) {
  if (column.categories.empty()) return std::string(example_value(column.type));
  if (column.type != DataType::kBytes) return column.categories.front();
  std::string out;
  append_json_string(out, column.categories.front());
  return out;
}

bool example_has_columns(const Signature& signature) noexcept {
  return !signature.columns.empty() && signature.columns.size() <= kExampleElementsMax;
}

std::string example_infer_json(const Signature& signature) {
  if (!signature.example.empty()) return signature.example;
  if (example_has_columns(signature)) return example_record(signature);
  std::string out = R"({"inputs":[)";
  bool first = true;
  for (const auto& input : signature.inputs) {
    if (left_out_of_example(signature, input)) continue;
    out += first ? R"({"name":)" : R"(,{"name":)";
    first = false;
    append_json_string(out, input.name);
    out += fmt::format(R"(,"shape":{},"datatype":"{}",)", format_shape(example_shape(input.shape)),
                       data_type_name(input.type));
    if (travels_as_binary(input)) {
      out += fmt::format(R"("parameters":{{"binary_data_size":{}}}}})", zero_bytes(input));
    } else {
      out += R"("data":)";
      append_data(out, input);
      out += '}';
    }
  }
  return out + "]}";
}

std::size_t example_binary_bytes(const Signature& signature) {
  std::size_t bytes = 0;
  if (is_all_text(signature)) return bytes;
  for (const auto& input : signature.inputs) {
    if (left_out_of_example(signature, input) || !travels_as_binary(input)) continue;
    bytes = checked_add(bytes, zero_bytes(input)).value_or(bytes);
  }
  return bytes;
}

std::string model_path(std::string_view model, std::string_view version) {
  std::string path = "/v2/models/" + percent_encode(model);
  if (!version.empty()) path += "/versions/" + percent_encode(version);
  return path;
}

std::string shell_quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += R"('\'')";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string example_curl(std::string_view url, std::string_view model, std::string_view version,
                         const Signature& signature) {
  const std::string json = example_infer_json(signature);
  const std::string target = shell_quote(fmt::format("{}{}/infer", url, model_path(model, version)));
  const bool binary = !is_all_text(signature) &&
                      std::any_of(signature.inputs.begin(), signature.inputs.end(), [&](const TensorSpec& input) {
                        return !left_out_of_example(signature, input) && travels_as_binary(input);
                      });
  if (!binary) {
    return fmt::format("curl -s -w '\\n' {} -H 'Content-Type: application/json' -d {}", target, shell_quote(json));
  }
  return fmt::format(
      "{{ printf '%s' {}; head -c {} /dev/zero; }} | curl -s -w '\\n' {} -H 'Content-Type: application/octet-stream' "
      "-H 'Inference-Header-Content-Length: {}' --data-binary @-",
      shell_quote(json), example_binary_bytes(signature), target, json.size());
}

}  // namespace protean
