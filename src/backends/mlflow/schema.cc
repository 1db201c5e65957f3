// SPDX-License-Identifier: Apache-2.0
// The names of MLflow's types, once, and the two JSON lists.
#include "backends/mlflow/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "backends/mlflow/yaml_tree.h"
#include "base/text.h"

namespace protean {
namespace {

constexpr std::size_t kInputsMax = 4096;
constexpr std::size_t kRankMax = 64;

struct TypeName {
  std::string_view name;
  DataType type;
};

/// Column types of mlflow.types.DataType; a datetime travels as ISO 8601 text, what has parts as the text
/// of its JSON.
constexpr std::array kColumnTypes = {
    TypeName{"boolean", DataType::kBool}, TypeName{"integer", DataType::kInt32},  TypeName{"long", DataType::kInt64},
    TypeName{"float", DataType::kFp32},   TypeName{"double", DataType::kFp64},    TypeName{"string", DataType::kBytes},
    TypeName{"binary", DataType::kBytes}, TypeName{"datetime", DataType::kBytes}, TypeName{"array", DataType::kBytes},
    TypeName{"object", DataType::kBytes}, TypeName{"map", DataType::kBytes}};

/// NumPy's names.
constexpr std::array kTensorTypes = {
    TypeName{"bool", DataType::kBool},     TypeName{"int8", DataType::kInt8},     TypeName{"int16", DataType::kInt16},
    TypeName{"int32", DataType::kInt32},   TypeName{"int64", DataType::kInt64},   TypeName{"uint8", DataType::kUint8},
    TypeName{"uint16", DataType::kUint16}, TypeName{"uint32", DataType::kUint32}, TypeName{"uint64", DataType::kUint64},
    TypeName{"float16", DataType::kFp16},  TypeName{"float32", DataType::kFp32},  TypeName{"float64", DataType::kFp64},
    TypeName{"object", DataType::kBytes},  TypeName{"str", DataType::kBytes},     TypeName{"bytes", DataType::kBytes}};

std::optional<DataType> find_type(std::span<const TypeName> types, std::string_view name) {
  const auto found = std::ranges::find(types, name, &TypeName::name);
  return found == types.end() ? std::nullopt : std::optional(found->type);
}

tl::unexpected<Error> refuse(std::string_view place, std::string_view what) {
  return fail(Code::kInvalidArgument, fmt::format("signature.{}: {}", place, what));
}

Result<YamlNode> parse_list(std::string_view json, std::string_view place) {
  auto node = parse_json_as_yaml(json);
  if (!node) return refuse(place, node.error().message);
  if (node->kind != YamlNode::Kind::kList) return refuse(place, "expected a JSON list");
  if (node->items.size() > kInputsMax) return refuse(place, fmt::format("more than {} entries", kInputsMax));
  return node;
}

Result<Shape> read_shape(const YamlNode* node) {
  if (node == nullptr || node->kind != YamlNode::Kind::kList || node->items.size() > kRankMax) {
    return refuse("inputs", "a tensor without a usable shape");
  }
  Shape shape;
  for (const auto& item : node->items) {
    std::int64_t size = 0;
    const char* end = item.text.data() + item.text.size();
    const auto [at, error] = std::from_chars(item.text.data(), end, size);
    if (error != std::errc() || at != end || size < -1) return refuse("inputs", "a tensor without a usable shape");
    shape.push_back(size);
  }
  return shape;
}

Result<SchemaInput> read_input(const YamlNode& node) {
  SchemaInput input;
  input.name = node.text_of("name");
  input.type_name = node.text_of("type");
  if (input.type_name.empty()) return refuse("inputs", "an entry without a type");
  input.required = node.text_of("required") != "false" && node.text_of("optional") != "true";
  if (input.type_name != "tensor") {
    input.type = find_type(kColumnTypes, input.type_name);
    return input;
  }
  const YamlNode* spec = node.find("tensor-spec");
  if (spec == nullptr) return refuse("inputs", "a tensor without a tensor-spec");
  const std::string_view dtype = spec->text_of("dtype");
  input.type = find_type(kTensorTypes, dtype);
  input.type_name = dtype;
  TRY(input.shape, read_shape(spec->find("shape")));
  return input;
}

std::string to_json(const YamlNode& node) {
  std::string out;
  if (node.kind == YamlNode::Kind::kList) {
    for (const auto& item : node.items) out += (out.empty() ? "" : ", ") + to_json(item);
    return "[" + out + "]";
  }
  if (node.kind == YamlNode::Kind::kMap) {
    for (const auto& [name, value] : node.members) {
      out += out.empty() ? "" : ", ";
      append_json_string(out, name);
      out += ": " + to_json(value);
    }
    return "{" + out + "}";
  }
  if (node.quoted) {
    append_json_string(out, node.text);
    return out;
  }
  return node.is_null() ? "null" : printable(node.text);
}

}  // namespace

bool Schema::is_table() const noexcept {
  return !inputs.empty() && std::ranges::all_of(inputs, [](const auto& input) { return input.type && !input.shape; });
}

bool Schema::is_tensors() const noexcept {
  return !inputs.empty() &&
         std::ranges::all_of(inputs, [](const auto& input) { return input.type && input.shape.has_value(); });
}

Result<Schema> parse_schema(std::string_view inputs, std::string_view params) {
  Schema schema;
  if (!inputs.empty()) {
    TRY(const YamlNode list, parse_list(inputs, "inputs"));
    std::set<std::string_view> names;
    for (const auto& item : list.items) {
      TRY(auto input, read_input(item));
      schema.inputs.push_back(std::move(input));
    }
    for (const auto& input : schema.inputs) {
      if (input.name.empty() != schema.inputs.front().name.empty()) {
        return refuse("inputs", "some entries have names, expected all or none");
      }
      if (!input.name.empty() && !names.insert(input.name).second) {
        return refuse("inputs", fmt::format("'{}' stands there twice", printable(input.name)));
      }
    }
  }
  if (!params.empty()) {
    TRY(const YamlNode list, parse_list(params, "params"));
    for (const auto& item : list.items) {
      SchemaParam param;
      param.name = item.text_of("name");
      param.type = item.text_of("type");
      const YamlNode* value = item.find("default");
      param.default_value = value == nullptr ? "null" : to_json(*value);
      const YamlNode* shape = item.find("shape");
      param.list = shape != nullptr && !shape->is_null();
      if (param.name.empty() || param.type.empty()) return refuse("params", "an entry without name or type");
      schema.params.push_back(std::move(param));
    }
  }
  return schema;
}

}  // namespace protean
