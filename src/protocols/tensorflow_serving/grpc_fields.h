// SPDX-License-Identifier: Apache-2.0
// Field numbers of proto/tensorflow_serving.proto and proto/tensorflow.proto, for the messages that are read and
// written by hand, and the few steps that all of these share.
#pragma once

#include <protozero/pbf_message.hpp>
#include <protozero/types.hpp>

#include <optional>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/result.h"

namespace protean::tfserving::field {

enum class ModelSpec : protozero::pbf_tag_type { kName = 1, kVersion = 2, kSignatureName = 3, kVersionLabel = 4 };
enum class Int64Value : protozero::pbf_tag_type { kValue = 1 };
enum class PredictRequest : protozero::pbf_tag_type { kModelSpec = 1, kInputs = 2, kOutputFilter = 3 };
enum class PredictResponse : protozero::pbf_tag_type { kOutputs = 1, kModelSpec = 2 };
enum class MapEntry : protozero::pbf_tag_type { kKey = 1, kValue = 2 };
enum class Tensor : protozero::pbf_tag_type {
  kDtype = 1,
  kShape = 2,
  kContent = 4,
  kFloat = 5,
  kDouble = 6,
  kInt = 7,
  kString = 8,
  kInt64 = 10,
  kBool = 11,
  kHalf = 13,
  kUint32 = 16,
  kUint64 = 17,
};
enum class Shape : protozero::pbf_tag_type { kDim = 2, kUnknownRank = 3 };
enum class Dim : protozero::pbf_tag_type { kSize = 1 };
/// ClassificationRequest and RegressionRequest alike; the replies are numbered result, spec.
enum class ExampleRequest : protozero::pbf_tag_type { kModelSpec = 1, kInput = 2 };
enum class ExampleResponse : protozero::pbf_tag_type { kResult = 1, kModelSpec = 2 };
enum class MultiRequest : protozero::pbf_tag_type { kTasks = 1, kInput = 2 };
enum class Task : protozero::pbf_tag_type { kModelSpec = 1, kMethodName = 2 };
enum class TaskResult : protozero::pbf_tag_type { kModelSpec = 1, kClassification = 2, kRegression = 3 };
enum class Input : protozero::pbf_tag_type { kExamples = 1, kExamplesWithContext = 2 };
enum class Examples : protozero::pbf_tag_type { kExamples = 1, kContext = 2 };
enum class Example : protozero::pbf_tag_type { kFeatures = 1 };
enum class Features : protozero::pbf_tag_type { kFeature = 1 };
enum class Feature : protozero::pbf_tag_type { kBytes = 1, kFloats = 2, kInts = 3 };
enum class List : protozero::pbf_tag_type { kValue = 1 };
enum class PredictionLog : protozero::pbf_tag_type {
  kMetadata = 1,
  kClassify = 2,
  kRegress = 3,
  kMultiInference = 4,
  kSessionRun = 5,
  kPredict = 6,
  kPredictStreamed = 7,
};
/// ClassifyLog and the others of a PredictionLog.
enum class Log : protozero::pbf_tag_type { kRequest = 1 };
enum class Class : protozero::pbf_tag_type { kLabel = 1, kScore = 2 };

/// A field of another wire type is an unknown field to protobuf: passed over, nullopt.
template <typename Tag>
std::optional<protozero::data_view> view(protozero::pbf_message<Tag>& message) {
  if (message.wire_type() == protozero::pbf_wire_type::length_delimited) return message.get_view();
  message.skip();
  return std::nullopt;
}

template <typename Tag>
std::optional<std::uint64_t> varint(protozero::pbf_message<Tag>& message) {
  if (message.wire_type() == protozero::pbf_wire_type::varint) return message.get_uint64();
  message.skip();
  return std::nullopt;
}

inline std::string_view text(protozero::data_view view) noexcept { return {view.data(), view.size()}; }
inline protozero::data_view whole(const Slice& body) noexcept { return {body.text().data(), body.size()}; }

/// Runs `decode`; broken wire format becomes kInternal, as gRPC's generated code reports it.
template <typename T, typename Decode>
Result<T> decoding(std::string_view message, Decode decode) {
  try {
    return decode();
  } catch (const protozero::exception& error) {
    return fail(Code::kInternal, "malformed " + std::string(message) + ": " + error.what());
  }
}

}  // namespace protean::tfserving::field
