// SPDX-License-Identifier: Apache-2.0
// The way of nearly every predict request: one pass from the text into typed tensors. Whatever is not as expected - a
// fault, NaN, an escape, a table - makes it give up, and json_predict.cc reads the body again, exactly.
#pragma once

#include <cstddef>

#include "base/buffer.h"
#include "core/inference.h"
#include "core/model.h"

namespace protean::tfserving {

/// True: `request.inputs` are what the exact way would make them. False: nothing is known; the inputs may be anything.
/// `body`: any bytes; those without kBufferPadding readable bytes behind them are left to the exact way.
/// `wide`: read numbers as json_wide_numbers.h does where the machine can; which requests are taken, and what they
/// become, is the same without.
[[nodiscard]] bool read_json_predict_fast(const Slice& body, std::size_t depth_max, const Signature& signature,
                                          InferRequest& request, bool wide = true);

}  // namespace protean::tfserving
