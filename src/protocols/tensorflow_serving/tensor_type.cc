// SPDX-License-Identifier: Apache-2.0
// One table.  Source: tensorflow.DataType and the texts of TensorFlow's DataTypeString().
#include "protocols/tensorflow_serving/tensor_type.h"

#include <fmt/format.h>

#include <array>

namespace protean::tfserving {
namespace {

struct Row {
  std::int32_t number;
  std::string_view name;
  std::optional<DataType> type;
};

constexpr std::array<Row, 24> kRows = {{
    {0, "INVALID", std::nullopt},     {1, "float", DataType::kFp32},     {2, "double", DataType::kFp64},
    {3, "int32", DataType::kInt32},   {4, "uint8", DataType::kUint8},    {5, "int16", DataType::kInt16},
    {6, "int8", DataType::kInt8},     {7, "string", DataType::kBytes},   {8, "complex64", std::nullopt},
    {9, "int64", DataType::kInt64},   {10, "bool", DataType::kBool},     {11, "qint8", std::nullopt},
    {12, "quint8", std::nullopt},     {13, "qint32", std::nullopt},      {14, "bfloat16", DataType::kBf16},
    {15, "qint16", std::nullopt},     {16, "quint16", std::nullopt},     {17, "uint16", DataType::kUint16},
    {18, "complex128", std::nullopt}, {19, "half", DataType::kFp16},     {20, "resource", std::nullopt},
    {21, "variant", std::nullopt},    {22, "uint32", DataType::kUint32}, {23, "uint64", DataType::kUint64},
}};

const Row& row_of(DataType type) noexcept {
  for (const Row& row : kRows) {
    if (row.type == type) return row;
  }
  return kRows[0];
}

}  // namespace

std::int32_t tensor_type_number(DataType type) noexcept { return row_of(type).number; }

std::optional<DataType> parse_tensor_type(std::int32_t number) noexcept {
  if (number < 0 || number >= static_cast<std::int32_t>(kRows.size())) return std::nullopt;
  return kRows[static_cast<std::size_t>(number)].type;
}

std::string_view tensor_type_name(DataType type) noexcept { return row_of(type).name; }

std::string tensor_type_name(std::int32_t number) {
  if (number < 0 || number >= static_cast<std::int32_t>(kRows.size())) return fmt::format("DataType({})", number);
  return std::string(kRows[static_cast<std::size_t>(number)].name);
}

}  // namespace protean::tfserving
