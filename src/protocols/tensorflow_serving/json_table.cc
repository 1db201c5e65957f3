// SPDX-License-Identifier: Apache-2.0
// A column's type is that of its values: texts, whole numbers, numbers, or truth values.
#include "protocols/tensorflow_serving/json_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "protocols/tensorflow_serving/base64.h"
#include "protocols/tensorflow_serving/json_print.h"

namespace protean::tfserving {
namespace {

/// Columns of one request: a row that holds more names is not one that a model could want.
constexpr std::size_t kColumnsMax = 16'384;

enum class Kind : unsigned char { kNone, kText, kWhole, kReal, kTruth };

Kind kind_of(const JsonValue& value) {
  switch (value.type()) {
    case JsonType::kString: return Kind::kText;
    case JsonType::kObject: return value.base64_text() ? Kind::kText : Kind::kNone;
    case JsonType::kTrue:
    case JsonType::kFalse: return Kind::kTruth;
    case JsonType::kNumber: return value.number().whole<std::int64_t>() ? Kind::kWhole : Kind::kReal;
    default: return Kind::kNone;
  }
}

/// A list of one element stands for the element: columns may come as [n,1].
JsonValue unwrapped(const JsonValue& value) {
  if (!value.is(JsonType::kArray) || value.size() != 1) return value;
  return *value.first();
}

struct Cell {
  std::size_t row;
  JsonValue value;
};

class TableColumn {
 public:
  explicit TableColumn(std::string name) : name_(std::move(name)) {}

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] bool has(std::size_t row) const noexcept { return !cells_.empty() && cells_.back().row == row; }

  Status add(std::size_t row, const JsonValue& value) {
    if (value.is(JsonType::kNull)) return {};
    const Kind kind = kind_of(value);
    const bool numbers =
        (kind == Kind::kWhole && kind_ == Kind::kReal) || (kind == Kind::kReal && kind_ == Kind::kWhole);
    if (kind == Kind::kNone || (kind_ != Kind::kNone && kind != kind_ && !numbers)) {
      return fail(
          Code::kInvalidArgument,
          fmt::format("Failed to process element: {} key: {} of 'instances' list. Error: INVALID_ARGUMENT: JSON "
                      "Value: {} Type: {} does not go with the other values of this column",
                      row, name_, print_value(value), json_type_name(value.type())));
    }
    kind_ = numbers ? Kind::kReal : kind;
    cells_.push_back({row, value});
    return {};
  }

  Result<InferInput> finish(std::size_t rows) const {
    InferInput input;
    input.name = name_;
    input.untyped = true;
    fill_nulls(rows, input.nulls);
    input.tensor.shape = {static_cast<std::int64_t>(rows)};
    Buffer data;
    switch (type(!input.nulls.empty())) {
      case DataType::kBytes:
        input.tensor.type = DataType::kBytes;
        TRY_STATUS(texts(rows, data));
        break;
      case DataType::kBool:
        input.tensor.type = DataType::kBool;
        values<std::uint8_t>(rows, data);
        break;
      case DataType::kInt64:
        input.tensor.type = DataType::kInt64;
        values<std::int64_t>(rows, data);
        break;
      default: input.tensor.type = DataType::kFp64; values<double>(rows, data);
    }
    input.tensor.data = std::move(data).share();
    return input;
  }

 private:
  /// Only floats and texts have something that stands for a missing value.
  [[nodiscard]] DataType type(bool nulls) const noexcept {
    if (kind_ == Kind::kText) return DataType::kBytes;
    if (nulls) return DataType::kFp64;
    return kind_ == Kind::kTruth ? DataType::kBool : kind_ == Kind::kWhole ? DataType::kInt64 : DataType::kFp64;
  }

  void fill_nulls(std::size_t rows, std::vector<std::size_t>& nulls) const {
    std::size_t next = 0;
    for (const auto& cell : cells_) {
      for (; next < cell.row; ++next) nulls.push_back(next);
      next = cell.row + 1;
    }
    for (; next < rows; ++next) nulls.push_back(next);
  }

  template <typename T>
  static T value_of(const JsonValue& value) {
    if (!value.is(JsonType::kNumber)) return value.is(JsonType::kTrue) ? 1 : 0;
    const NumberToken token = value.number();
    if constexpr (std::is_same_v<T, double>) {
      return token.real;
    } else {
      return token.whole<T>().value_or(0);
    }
  }

  template <typename T>
  void values(std::size_t rows, Buffer& data) const {
    data.resize(rows * sizeof(T));
    T* const out = reinterpret_cast<T*>(data.data());
    std::fill_n(out, rows, std::numeric_limits<T>::quiet_NaN());
    for (const auto& cell : cells_) out[cell.row] = value_of<T>(cell.value);
  }

  Status texts(std::size_t rows, Buffer& data) const {
    auto cell = cells_.begin();
    for (std::size_t row = 0; row < rows; ++row) {
      std::string text;
      if (cell != cells_.end() && cell->row == row) {
        const auto coded = cell->value.base64_text();
        auto bytes = coded ? decode_base64(*coded) : std::optional(cell->value.string());
        if (!bytes) return fail(Code::kInvalidArgument, "Unable to base64 decode");
        text = *std::move(bytes);
        ++cell;
      }
      append_bytes_element(data, text);
    }
    return {};
  }

  std::string name_;
  Kind kind_ = Kind::kNone;
  std::vector<Cell> cells_;  // ascending by row
};

class TableReader {
 public:
  Status add(std::size_t row, std::string name, const JsonValue& value) {
    const auto found = positions_.find(name);
    if (found == positions_.end() && columns_.size() == kColumnsMax) {
      return fail(Code::kInvalidArgument, fmt::format("more than {} columns", kColumnsMax));
    }
    if (found == positions_.end()) {
      positions_.emplace(name, columns_.size());
      columns_.emplace_back(std::move(name));
    }
    TableColumn& column = found == positions_.end() ? columns_.back() : columns_[found->second];
    return column.has(row) ? Status{} : column.add(row, value);
  }

  Status finish(std::size_t rows, InferRequest& request) const {
    for (const auto& column : columns_) {
      TRY(InferInput input, column.finish(rows));
      request.inputs.push_back(std::move(input));
    }
    return {};
  }

 private:
  std::vector<TableColumn> columns_;
  std::unordered_map<std::string, std::size_t> positions_;
};

bool names_columns(const JsonValue& object, const Signature& signature) {
  if (signature.columns.empty() || !object.is(JsonType::kObject) || object.base64_text()) return false;
  return signature.inputs.size() != 1 || !object.find(signature.inputs.front().name) ||
         signature.columns.front().name == signature.inputs.front().name;
}

}  // namespace

bool is_table_row(const JsonValue& row, const Signature& signature) { return names_columns(row, signature); }
bool is_table(const JsonValue& inputs, const Signature& signature) { return names_columns(inputs, signature); }

Status read_table_rows(const JsonValue& list, InferRequest& request) {
  TableReader reader;
  std::size_t row = 0;
  for (JsonElements at(list); at; at.next(), ++row) {
    if (!at.value().is(JsonType::kObject)) {
      return fail(Code::kInvalidArgument, fmt::format("Expecting object but got list at item {} of input list", row));
    }
    for (JsonMembers member(at.value()); member; member.next()) {
      TRY_STATUS(reader.add(row, member.name(), unwrapped(member.value())));
    }
  }
  return reader.finish(row, request);
}

Status read_table(const JsonValue& inputs, InferRequest& request) {
  TableReader reader;
  std::size_t rows = 0;
  for (JsonMembers member(inputs); member; member.next()) {
    std::size_t row = 0;
    if (!member.value().is(JsonType::kArray)) {
      TRY_STATUS(reader.add(row++, member.name(), member.value()));
    } else {
      for (JsonElements at(member.value()); at; at.next(), ++row) {
        TRY_STATUS(reader.add(row, member.name(), unwrapped(at.value())));
      }
    }
    rows = std::max(rows, row);
  }
  return reader.finish(rows, request);
}

}  // namespace protean::tfserving
