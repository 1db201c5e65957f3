// SPDX-License-Identifier: Apache-2.0
// Finding the columns, and putting them where the model wants them; core/table_column.h has their values.
#include "core/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/checked_math.h"
#include "base/text.h"
#include "core/number.h"
#include "core/table_column.h"

namespace protean {
namespace {

constexpr std::size_t kTableBytesMax = std::size_t{1} << 30;

std::vector<std::string> column_names(const Signature& signature) {
  std::vector<std::string> names;
  for (const auto& column : signature.columns) names.push_back(column.name);
  return names;
}

/// The inputs of one request found to be columns.
class Table {
 public:
  Table(const InferRequest& request, const Signature& signature)
      : request_(request), signature_(signature), given_(signature.columns.size(), nullptr) {}

  Result<std::vector<InferInput>> map() {
    TRY_STATUS(find_columns());
    TRY_STATUS(check_missing());
    if (is_matrix(signature_)) return matrix();
    std::vector<InferInput> inputs;
    for (std::size_t i = 0; i < given_.size(); ++i) {
      TRY(auto input, one_column(i));
      if (input) inputs.push_back(*std::move(input));
    }
    return inputs;
  }

  [[nodiscard]] static bool is_matrix(const Signature& signature) noexcept {
    return signature.inputs.size() == 1 && signature.inputs.front().shape.size() == 2;
  }

 private:
  Status find_columns() {
    std::unordered_map<std::string_view, std::size_t> positions;
    for (std::size_t i = 0; i < signature_.columns.size(); ++i) positions.emplace(signature_.columns[i].name, i);
    for (const auto& input : request_.inputs) {
      const auto found = positions.find(input.name);
      if (found == positions.end()) {
        if (signature_.table_rules.ignore_unknown) continue;
        return unknown(input.name);
      }
      const InferInput*& place = given_[found->second];
      if (place != nullptr) {
        return fail(Code::kInvalidArgument, fmt::format("column '{}' is given twice", printable(input.name)));
      }
      TRY_STATUS(check_column(input, signature_.columns[found->second]));
      place = &input;
    }
    return {};
  }

  Status unknown(std::string_view name) const {
    const auto names = column_names(signature_);
    const auto near = nearest_name(name, names);
    return fail(Code::kInvalidArgument,
                fmt::format("unknown column '{}'{}: the model has {}", printable(name),
                            near ? fmt::format(", did you mean '{}'?", printable(*near)) : "", quoted_list(names)));
  }

  Status check_column(const InferInput& input, const Column& column) {
    const Tensor& tensor = input.tensor;
    const auto refuse = [&](std::string what) {
      return fail(Code::kInvalidArgument, fmt::format("column '{}': {}", printable(column.name), what));
    };
    const bool fits = tensor.shape.size() == 1 || (tensor.shape.size() == 2 && tensor.shape[1] == 1);
    if (!fits) return refuse(fmt::format("shape {}, expected [-1] or [-1,1]", format_shape(tensor.shape)));
    if (is_half(tensor.type)) return refuse(fmt::format("datatype {}, expected FP32", data_type_name(tensor.type)));
    if (signature_.table_rules.safe_types && !input.untyped && !converts_safely(tensor.type, column.type)) {
      return refuse(fmt::format("datatype {} does not convert to {} without loss", data_type_name(tensor.type),
                                data_type_name(column.type)));
    }
    TRY_STATUS(check_data(tensor, column.name));
    const auto rows = static_cast<std::size_t>(tensor.shape[0]);
    if (!first_) {
      first_ = &input;
      rows_ = rows;
    } else if (rows != rows_) {
      return refuse(fmt::format("{} rows, but column '{}' has {}", rows, printable(first_->name), rows_));
    }
    return {};
  }

  Status check_missing() const {
    for (std::size_t i = 0; i < given_.size(); ++i) {
      const Column& column = signature_.columns[i];
      const bool optional = column.nullable && !column.required;
      const bool optional_input = !is_matrix(signature_) && signature_.inputs[i].optional;
      if (given_[i] != nullptr || optional || optional_input) continue;
      return fail(Code::kInvalidArgument,
                  fmt::format("column '{}' is missing: expected {}", printable(column.name), describe_column(column)));
    }
    if (first_ == nullptr) return fail(Code::kInvalidArgument, "no column is given");
    return {};
  }

  [[nodiscard]] Result<std::size_t> bytes_for(std::size_t elements, DataType type) const {
    const auto count = checked_mul(rows_, elements);
    const auto bytes = count ? checked_mul(*count, element_size(type)) : std::nullopt;
    if (bytes && *bytes <= kTableBytesMax) return *bytes;
    return fail(Code::kResourceExhausted,
                fmt::format("a table of {} rows and {} columns, expected at most 1 GiB", rows_, elements));
  }

  /// An absent column is one whose values are all missing.
  [[nodiscard]] InferInput absent() const {
    InferInput input;
    input.nulls.resize(rows_);
    for (std::size_t row = 0; row < rows_; ++row) input.nulls[row] = row;
    return input;
  }

  Status write(std::size_t column, const Target& target) {
    if (given_[column] != nullptr)
      return ColumnWriter(signature_.columns[column], *given_[column], rows_).write(target);
    if (!absent_) absent_ = absent();
    return ColumnWriter(signature_.columns[column], *absent_, rows_).write(target);
  }

  Result<std::vector<InferInput>> matrix() {
    const TensorSpec& spec = signature_.inputs.front();
    const std::size_t columns = given_.size();
    TRY(const std::size_t bytes, bytes_for(columns, spec.type));
    Buffer data(bytes);
    const std::size_t size = element_size(spec.type);
    for (std::size_t i = 0; i < columns; ++i) {
      TRY_STATUS(write(i, {spec.type, data.data() + i * size, columns * size}));
    }
    std::vector<InferInput> inputs(1);
    inputs[0].name = spec.name;
    inputs[0].tensor = {
        spec.type, {static_cast<std::int64_t>(rows_), static_cast<std::int64_t>(columns)}, std::move(data).share()};
    return inputs;
  }

  /// nullopt for an optional input that was left out.
  Result<std::optional<InferInput>> one_column(std::size_t index) {
    const TensorSpec& spec = signature_.inputs[index];
    if (given_[index] == nullptr && spec.optional) return std::nullopt;
    InferInput input;
    input.name = spec.name;
    input.tensor = {spec.type, Shape(std::max<std::size_t>(spec.shape.size(), 1), 1), {}};
    input.tensor.shape[0] = static_cast<std::int64_t>(rows_);
    Buffer data;
    if (spec.type == DataType::kBytes) {
      if (given_[index] == nullptr && !absent_) absent_ = absent();
      const InferInput& from = given_[index] == nullptr ? *absent_ : *given_[index];
      TRY_STATUS(ColumnWriter(signature_.columns[index], from, rows_).append_texts(data));
    } else {
      TRY(const std::size_t bytes, bytes_for(1, spec.type));
      data.resize(bytes);
      TRY_STATUS(write(index, {spec.type, data.data(), element_size(spec.type)}));
    }
    input.tensor.data = std::move(data).share();
    return input;
  }

  const InferRequest& request_;
  const Signature& signature_;
  std::vector<const InferInput*> given_;  // by column; nullptr: left out
  const InferInput* first_ = nullptr;
  std::size_t rows_ = 0;
  std::optional<InferInput> absent_;
};

bool has_column(const Signature& signature, std::string_view name) {
  return std::ranges::find(signature.columns, name, &Column::name) != signature.columns.end();
}

/// Whether the request brings the model's matrix itself.
bool is_whole_matrix(const InferRequest& request, const Signature& signature) {
  if (!Table::is_matrix(signature) || request.inputs.size() != 1) return false;
  const InferInput& input = request.inputs.front();
  if (input.name != signature.inputs.front().name || input.tensor.type == DataType::kBytes) return false;
  return input.tensor.shape.size() == 2 || !has_column(signature, input.name);
}

Status map_matrix(InferInput& input, const Signature& signature) {
  const TensorSpec& spec = signature.inputs.front();
  const std::size_t columns = signature.columns.size();
  for (const std::size_t at : input.nulls) {
    const Column& column = signature.columns[at % columns];
    if (column.nullable) continue;
    return fail(Code::kInvalidArgument, fmt::format("column '{}': row {} is missing (null or NaN), expected {}",
                                                    printable(column.name), at / columns, data_type_name(column.type)));
  }
  Tensor& tensor = input.tensor;
  if (tensor.type == spec.type || is_half(tensor.type) || is_half(spec.type) || tensor.shape.size() != 2) return {};
  if (signature.table_rules.safe_types && !converts_safely(tensor.type, spec.type)) return {};
  TRY_STATUS(check_data(tensor, input.name));
  TRY(const std::size_t count, element_count(tensor.shape));
  Buffer data(count * element_size(spec.type));
  for (std::size_t i = 0; i < count; ++i) {
    const long double value = read_number(tensor.type, tensor.data.data() + i * element_size(tensor.type));
    if (write_number(spec.type, value, data.data() + i * element_size(spec.type))) continue;
    return fail(Code::kInvalidArgument, fmt::format("input '{}': element {} is {}, expected {}", printable(input.name),
                                                    i, format_number(value), data_type_name(spec.type)));
  }
  tensor.type = spec.type;
  tensor.data = std::move(data).share();
  return {};
}

/// Whether one input a column is there already, in types and shapes that need no change.
bool is_mapped(const InferRequest& request, const Signature& signature) {
  if (Table::is_matrix(signature) || request.inputs.size() != signature.inputs.size()) return false;
  return std::ranges::all_of(request.inputs, [&](const InferInput& input) {
    const auto spec = std::ranges::find(signature.inputs, input.name, &TensorSpec::name);
    if (spec == signature.inputs.end() || input.tensor.type != spec->type || !input.nulls.empty()) return false;
    const Column& column = signature.columns[static_cast<std::size_t>(spec - signature.inputs.begin())];
    const bool may_be_nan = is_float(spec->type) && !column.nullable;
    return input.tensor.shape.size() == spec->shape.size() && column.categories.empty() && !may_be_nan;
  });
}

void apply(const ColumnConfig& entry, Column& column) {
  if (entry.type) column.type = *entry.type;
  if (entry.categories) {
    column.categories = *entry.categories;
    if (!entry.type) column.type = DataType::kBytes;
  }
  column.nullable = entry.nullable.value_or(column.nullable);
  column.required = entry.required.value_or(column.required);
  column.unknown_is_missing = entry.unknown_is_missing.value_or(column.unknown_is_missing);
}

/// Columns for a model that has none, where its inputs have the form of a table.
Result<std::vector<Column>> first_columns(const Signature& signature, std::size_t count) {
  const bool matrix =
      Table::is_matrix(signature) && signature.inputs.front().shape[1] == static_cast<std::int64_t>(count);
  const bool by_column = signature.inputs.size() == count &&
                         std::ranges::all_of(signature.inputs, [](const TensorSpec& s) { return s.shape.size() == 1; });
  std::vector<Column> columns(count);
  for (std::size_t i = 0; i < count; ++i) {
    const TensorSpec& spec = signature.inputs[matrix ? 0 : std::min(i, signature.inputs.size() - 1)];
    columns[i].type = spec.type;
    columns[i].nullable = is_float(spec.type);
    if (by_column) columns[i].name = spec.name;
  }
  if (matrix || by_column) return columns;
  return fail(Code::kInvalidArgument,
              fmt::format("{} columns are configured, but the model takes no matrix [-1,{}]", count, count));
}

}  // namespace

Status map_table(InferRequest& request, const Signature& signature) {
  if (is_whole_matrix(request, signature)) return map_matrix(request.inputs.front(), signature);
  if (is_mapped(request, signature)) return {};
  TRY(auto inputs, Table(request, signature).map());
  request.inputs = std::move(inputs);
  return {};
}

Status refuse_nulls(const InferRequest& request) {
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    const InferInput& input = request.inputs[i];
    if (input.nulls.empty() || input.tensor.type != DataType::kBytes) continue;
    return fail(Code::kInvalidArgument,
                fmt::format("inputs[{}] '{}': element {} of data is null, expected a string for BYTES", i,
                            printable(input.name), input.nulls.front()));
  }
  return {};
}

Status prepare_inputs(InferRequest& request, const Signature& signature) {
  return signature.columns.empty() ? refuse_nulls(request) : map_table(request, signature);
}

Result<Signature> with_columns(Signature signature, std::span<const ColumnConfig> entries) {
  if (entries.empty()) return signature;
  const bool none = signature.columns.empty();
  if (none) {
    if (signature.inputs.empty())
      return fail(Code::kInvalidArgument, "columns are configured for a model without inputs");
    TRY(signature.columns, first_columns(signature, entries.size()));
  }
  auto& columns = signature.columns;
  const bool renames = entries.size() == columns.size() &&
                       std::ranges::none_of(entries, [&](const auto& e) { return has_column(signature, e.name); });
  if (renames && !none && !Table::is_matrix(signature)) {
    return fail(Code::kInvalidArgument, fmt::format("unknown column '{}': the model has {}", printable(entries[0].name),
                                                    quoted_list(column_names(signature))));
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    auto column = renames ? columns.begin() + static_cast<std::ptrdiff_t>(i)
                          : std::ranges::find(columns, entries[i].name, &Column::name);
    if (column == columns.end()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("unknown column '{}': the model has {}", printable(entries[i].name),
                              quoted_list(column_names(signature))));
    }
    column->name = entries[i].name;
    apply(entries[i], *column);
  }
  return signature;
}

std::string describe_column(const Column& column) {
  std::string out(data_type_name(column.type));
  if (!column.categories.empty()) out += fmt::format(" of {}", quoted_list(column.categories));
  return column.nullable ? out + " or null" : out;
}

}  // namespace protean
