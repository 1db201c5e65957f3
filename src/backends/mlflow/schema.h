// SPDX-License-Identifier: Apache-2.0
// The signature in an MLmodel file: what the model takes and gives, and its parameters.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/tensor.h"

namespace protean {

/// One input. `shape`: set for a tensor, not for a column.  `name`: empty where the signature names none.
/// `type`: absent for what no column holds; lists, objects and maps are texts of JSON.
struct SchemaInput {
  std::string name;
  std::optional<DataType> type;
  std::string type_name;
  bool required = true;
  std::optional<Shape> shape;
};

/// `default_value`: as JSON.
struct SchemaParam {
  std::string name;
  std::string type;
  std::string default_value;
  bool list = false;
};

struct Schema {
  std::vector<SchemaInput> inputs;
  std::vector<SchemaParam> params;

  [[nodiscard]] bool empty() const noexcept { return inputs.empty(); }
  /// Every input is a column that a table holds.
  [[nodiscard]] bool is_table() const noexcept;
  [[nodiscard]] bool is_tensors() const noexcept;
};

/// `inputs`, `params`: JSON texts of the file's `signature`, empty where it has none.
/// Errors: kInvalidArgument `signature.inputs: ...`.  Thread-safe.
/// Source: mlflow.types.Schema.to_json, ParamSchema.to_json (MLflow 3.17).
[[nodiscard]] Result<Schema> parse_schema(std::string_view inputs, std::string_view params);

}  // namespace protean
