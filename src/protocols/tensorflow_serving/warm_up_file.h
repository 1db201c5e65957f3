// SPDX-License-Identifier: Apache-2.0
// Warm-up requests as TensorFlow Serving keeps them beside a SavedModel: PredictionLog messages in
// `assets.extra/tf_serving_warmup_requests` of the version's folder.
#pragma once

#include "base/result.h"
#include "core/inference.h"
#include "core/recorded_call.h"
#include "protocols/tensorflow_serving/protocol.h"

namespace protean::tfserving {

/// The call in one PredictionLog, its name left empty.
/// Errors: kInvalidArgument for what is no such message, kUnimplemented for session runs and streams, as the original.
[[nodiscard]] Result<RecordedCall> decode_prediction_log(const Slice& record, const TensorflowServingOptions& options);

}  // namespace protean::tfserving
