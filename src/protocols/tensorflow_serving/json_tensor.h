// SPDX-License-Identifier: Apache-2.0
// One tensor from a JSON value: its shape from the nesting, its type from the signature, and an exact complaint where
// the value is none. The general way; json_predict_fast.h has the one for bodies without a fault.
#pragma once

#include <cstddef>

#include "base/buffer.h"
#include "base/result.h"
#include "core/tensor.h"
#include "protocols/tensorflow_serving/json_value.h"

namespace protean::tfserving {

/// The sizes met when following first elements downwards; empty for what is no list.
[[nodiscard]] Shape dense_shape(const JsonValue& value);

/// Appends all elements of `value` to `out`, as `type`.
/// `shape`: dense_shape(value).  `count`: grows with each element.
/// Errors: kInvalidArgument for values of another type or at another level; kUnimplemented for types that the original
/// does not read from JSON.  Recursion is as deep as the value, which check_syntax() has bounded.  Thread-safe.
[[nodiscard]] Status append_elements(const JsonValue& value, const Shape& shape, DataType type, Buffer& out,
                                     std::size_t& count);

}  // namespace protean::tfserving
