// SPDX-License-Identifier: Apache-2.0
// The table. Numbers are those of tensorflow.DataType.
#include "backends/tensorflow/element_type.h"

#include <array>
#include <string_view>
#include <utility>

namespace protean {
namespace {

constexpr int kReferences = 100;

constexpr std::array<std::pair<DataType, int>, 14> kTypes = {{
    {DataType::kFp32, 1},
    {DataType::kFp64, 2},
    {DataType::kInt32, 3},
    {DataType::kUint8, 4},
    {DataType::kInt16, 5},
    {DataType::kInt8, 6},
    {DataType::kBytes, 7},
    {DataType::kInt64, 9},
    {DataType::kBool, 10},
    {DataType::kBf16, 14},
    {DataType::kUint16, 17},
    {DataType::kFp16, 19},
    {DataType::kUint32, 22},
    {DataType::kUint64, 23},
}};

constexpr std::array<std::string_view, 33> kNames = {"invalid",
                                                     "float",
                                                     "double",
                                                     "int32",
                                                     "uint8",
                                                     "int16",
                                                     "int8",
                                                     "string",
                                                     "complex64",
                                                     "int64",
                                                     "bool",
                                                     "qint8",
                                                     "quint8",
                                                     "qint32",
                                                     "bfloat16",
                                                     "qint16",
                                                     "quint16",
                                                     "uint16",
                                                     "complex128",
                                                     "half",
                                                     "resource",
                                                     "variant",
                                                     "uint32",
                                                     "uint64",
                                                     "float8_e5m2",
                                                     "float8_e4m3fn",
                                                     "float8_e4m3fnuz",
                                                     "float8_e4m3b11fnuz",
                                                     "float8_e5m2fnuz",
                                                     "int4",
                                                     "uint4",
                                                     "int2",
                                                     "uint2"};

}  // namespace

std::optional<DataType> from_tensorflow(int type) noexcept {
  if (type > kReferences) type -= kReferences;
  for (const auto& [ours, theirs] : kTypes) {
    if (theirs == type) return ours;
  }
  return std::nullopt;
}

int to_tensorflow(DataType type) noexcept {
  for (const auto& [ours, theirs] : kTypes) {
    if (ours == type) return theirs;
  }
  return 0;
}

std::string tensorflow_type_name(int type) {
  const int plain = type > kReferences ? type - kReferences : type;
  if (plain >= 0 && static_cast<std::size_t>(plain) < kNames.size()) {
    return std::string(kNames[static_cast<std::size_t>(plain)]);
  }
  return "type " + std::to_string(type);
}

}  // namespace protean
