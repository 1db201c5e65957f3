// SPDX-License-Identifier: Apache-2.0
// Values are carried over as they were written; what does not fit the signature makes no example.
#include "backends/mlflow/input_example.h"

#include <fmt/format.h>

#include <algorithm>

#include "backends/mlflow/yaml_tree.h"
#include "base/text.h"

namespace protean {
namespace {

using Kind = YamlNode::Kind;

constexpr std::size_t kColumnsMax = 256;

/// A value as JSON; empty for what is no scalar.
std::string scalar(const YamlNode& node) {
  if (node.kind != Kind::kScalar) return {};
  if (!node.quoted) return node.is_null() || node.text == "NaN" ? "null" : node.text;
  std::string out;
  append_json_string(out, node.text);
  return out;
}

bool has_column(const Signature& signature, std::string_view name) {
  return std::ranges::find(signature.columns, name, &Column::name) != signature.columns.end();
}

class Record {
 public:
  explicit Record(const Signature& signature) : signature_(signature) {}

  void add(std::string_view name, const YamlNode& value) {
    const std::string text = scalar(value);
    complete_ = complete_ && !text.empty();
    if (!has_column(signature_, name)) return;
    if (!members_.empty()) members_ += ',';
    append_json_string(members_, name);
    members_ += ':' + text;
  }
  [[nodiscard]] std::string finish() const {
    return complete_ && !members_.empty() ? fmt::format(R"({{"records":[{{{}}}]}})", members_) : std::string();
  }

 private:
  const Signature& signature_;
  std::string members_;
  bool complete_ = true;
};

/// `{"columns": [...], "data": [[...]]}`, or a list of objects.
std::string from_data_frame(const YamlNode& root, const Signature& signature) {
  Record record(signature);
  if (root.kind == Kind::kList && !root.items.empty()) {
    for (const auto& [name, value] : root.items.front().members) record.add(name, value);
    return record.finish();
  }
  const YamlNode* columns = root.find("columns");
  const YamlNode* data = root.find("data");
  if (columns == nullptr || data == nullptr || data->items.empty()) return {};
  const auto& row = data->items.front().items;
  if (row.size() != columns->items.size()) return {};
  for (std::size_t i = 0; i < row.size(); ++i) record.add(columns->items[i].text, row[i]);
  return record.finish();
}

std::string from_object(const YamlNode& root, const Signature& signature) {
  Record record(signature);
  for (const auto& [name, value] : root.members) {
    const bool list = value.kind == Kind::kList && !value.items.empty();
    record.add(name, list ? value.items.front() : value);
  }
  return record.finish();
}

/// The first row of a matrix, for a model with one input.
std::string from_array(const YamlNode& root, const Signature& signature) {
  if (signature.inputs.size() != 1 || root.kind != Kind::kList || root.items.empty()) return {};
  const TensorSpec& spec = signature.inputs.front();
  const YamlNode& first = root.items.front();
  const bool matrix = first.kind == Kind::kList;
  const std::size_t width = matrix ? first.items.size() : 1;
  const bool fits = spec.shape.size() == (matrix ? 2U : 1U) && width > 0 && width <= kColumnsMax &&
                    (!matrix || spec.shape[1] < 0 || spec.shape[1] == static_cast<std::int64_t>(width));
  if (!fits) return {};
  std::string data;
  for (std::size_t i = 0; i < width; ++i) {
    const std::string text = scalar(matrix ? first.items[i] : first);
    if (text.empty()) return {};
    data += (i == 0 ? "" : ",") + text;
  }
  std::string name;
  append_json_string(name, spec.name);
  return fmt::format(R"({{"inputs":[{{"name":{},"shape":{},"datatype":"{}","data":[{}]}}]}})", name,
                     matrix ? fmt::format("[1,{}]", width) : "[1]", data_type_name(spec.type), data);
}

}  // namespace

std::string example_request(std::string_view json, std::string_view type, const Signature& signature) {
  const auto root = parse_json_as_yaml(json);
  if (!root || signature.columns.size() > kColumnsMax) return {};
  if (type == "ndarray") return from_array(*root, signature);
  if (signature.columns.empty()) return {};
  return type == "dataframe" ? from_data_frame(*root, signature) : from_object(*root, signature);
}

}  // namespace protean
