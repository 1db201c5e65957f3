// SPDX-License-Identifier: Apache-2.0
// Field numbers of package inference (proto/open_inference.proto), for the hand-written decoder and encoder.
#pragma once

#include <protozero/types.hpp>

#include <optional>

#include "core/data_type.h"

namespace protean::grpc_field {

enum class InferRequest : protozero::pbf_tag_type {
  kModelName = 1,
  kModelVersion = 2,
  kId = 3,
  kParameters = 4,
  kInputs = 5,
  kOutputs = 6,
  kRawInputContents = 7,
};

enum class InferResponse : protozero::pbf_tag_type {
  kModelName = 1,
  kModelVersion = 2,
  kId = 3,
  kParameters = 4,
  kOutputs = 5,
  kRawOutputContents = 6,
};

/// InferInputTensor, InferOutputTensor and TensorMetadata alike (the last without contents).
enum class InferTensor : protozero::pbf_tag_type {
  kName = 1,
  kDatatype = 2,
  kShape = 3,
  kParameters = 4,
  kContents = 5,
};

enum class RequestedOutput : protozero::pbf_tag_type { kName = 1, kParameters = 2 };
enum class MapEntry : protozero::pbf_tag_type { kKey = 1, kValue = 2 };
enum class Parameter : protozero::pbf_tag_type { kBool = 1, kInt64 = 2, kString = 3, kDouble = 4, kUint64 = 5 };

enum class Contents : protozero::pbf_tag_type {
  kBool = 1,
  kInt = 2,
  kInt64 = 3,
  kUint = 4,
  kUint64 = 5,
  kFp32 = 6,
  kFp64 = 7,
  kBytes = 8,
};

/// Where typed contents of this type go; nullopt for FP16 and BF16, which travel raw only.
[[nodiscard]] constexpr std::optional<Contents> contents_field(DataType type) noexcept {
  switch (type) {
    case DataType::kBool: return Contents::kBool;
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32: return Contents::kInt;
    case DataType::kInt64: return Contents::kInt64;
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32: return Contents::kUint;
    case DataType::kUint64: return Contents::kUint64;
    case DataType::kFp32: return Contents::kFp32;
    case DataType::kFp64: return Contents::kFp64;
    case DataType::kBytes: return Contents::kBytes;
    case DataType::kFp16:
    case DataType::kBf16: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace protean::grpc_field
