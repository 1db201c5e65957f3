// SPDX-License-Identifier: Apache-2.0
// Columns are matched by name where the model knows names, by position where it does not.
#include "backends/mlflow/table_form.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace protean {
namespace {

bool is_matrix(const Signature& signature) {
  return signature.inputs.size() == 1 && signature.inputs.front().shape.size() == 2;
}

bool is_one_input_a_column(const Signature& signature) {
  return std::ranges::all_of(signature.inputs, [](const TensorSpec& spec) {
    return spec.shape.size() == 1 || (spec.shape.size() == 2 && spec.shape[1] == 1);
  });
}

/// What the model knows of its columns, in its order; names are empty where it knows none.
Result<std::vector<Column>> columns_of(const Signature& signature, std::size_t count) {
  if (!signature.columns.empty()) return signature.columns;
  std::vector<Column> columns;
  if (signature.inputs.size() == count && is_one_input_a_column(signature) && count > 1) {
    for (const auto& input : signature.inputs) {
      columns.push_back({input.name, input.type, input.type == DataType::kFp32 || input.type == DataType::kFp64});
    }
    return columns;
  }
  const std::int64_t width = is_matrix(signature) ? signature.inputs.front().shape[1] : 0;
  if (is_matrix(signature) && (width < 0 || width == static_cast<std::int64_t>(count))) {
    columns.resize(count);
    for (auto& column : columns) column.nullable = true;
    return columns;
  }
  return fail(Code::kInvalidArgument,
              fmt::format("the signature has {} columns, but the model takes {} inputs{}", count,
                          signature.inputs.size(), width > 0 ? fmt::format(" of {} columns", width) : ""));
}

const SchemaInput* find_input(const Schema& schema, std::string_view name) {
  const auto found = std::ranges::find(schema.inputs, name, &SchemaInput::name);
  return found == schema.inputs.end() ? nullptr : &*found;
}

bool any_named(const std::vector<Column>& columns, const Schema& schema) {
  return std::ranges::any_of(columns, [&](const Column& c) { return find_input(schema, c.name) != nullptr; });
}

void merge(const SchemaInput& input, Column& column) {
  column.name = input.name;
  column.type = *input.type;
  const bool is_float = column.type == DataType::kFp32 || column.type == DataType::kFp64;
  const bool has_missing = is_float || column.type == DataType::kBytes || !column.categories.empty();
  column.nullable = (column.nullable && has_missing) || !input.required;
  column.required = input.required;
}

Result<Signature> with_columns_of(Signature signature, const Schema& schema) {
  if (schema.inputs.front().name.empty()) return signature;  // a matrix without names stays one
  TRY(auto columns, columns_of(signature, schema.inputs.size()));
  const bool by_name = any_named(columns, schema);
  if (!by_name && columns.size() != schema.inputs.size()) {
    return fail(Code::kInvalidArgument,
                fmt::format("the signature has {} columns, the model {}", schema.inputs.size(), columns.size()));
  }
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const SchemaInput* input = by_name ? find_input(schema, columns[i].name) : &schema.inputs[i];
    if (input == nullptr) {
      return fail(Code::kInvalidArgument,
                  fmt::format("the model's column '{}' is not in the signature", printable(columns[i].name)));
    }
    merge(*input, columns[i]);
  }
  if (is_matrix(signature)) signature.inputs.front().shape[1] = static_cast<std::int64_t>(columns.size());
  signature.columns = std::move(columns);
  signature.table_rules = {true, true};
  return signature;
}

Status merge_tensor(const SchemaInput& input, TensorSpec& spec) {
  if (*input.type != spec.type && (*input.type == DataType::kBytes || spec.type == DataType::kBytes)) {
    return fail(Code::kInvalidArgument, fmt::format("input '{}' is {} in the signature, but the model takes {}",
                                                    printable(spec.name), input.type_name, data_type_name(spec.type)));
  }
  spec.type = *input.type;
  if (input.shape->size() != spec.shape.size()) return {};
  for (std::size_t i = 0; i < spec.shape.size(); ++i) {
    if (spec.shape[i] < 0) spec.shape[i] = (*input.shape)[i];
  }
  return {};
}

Result<Signature> with_tensors_of(Signature signature, const Schema& schema) {
  if (schema.inputs.size() == 1 && signature.inputs.size() == 1) {
    TRY_STATUS(merge_tensor(schema.inputs.front(), signature.inputs.front()));
    return signature;
  }
  for (auto& spec : signature.inputs) {
    const SchemaInput* input = find_input(schema, spec.name);
    if (input != nullptr) TRY_STATUS(merge_tensor(*input, spec));
  }
  return signature;
}

}  // namespace

Result<Signature> with_schema(Signature signature, const Schema& schema) {
  if (schema.is_table()) return with_columns_of(std::move(signature), schema);
  if (schema.is_tensors()) return with_tensors_of(std::move(signature), schema);
  return signature;
}

}  // namespace protean
