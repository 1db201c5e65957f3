// SPDX-License-Identifier: Apache-2.0
// Values as TensorFlow Serving's messages show them: printed again, lists on one line, at most 256 bytes.
#pragma once

#include <string>

#include "protocols/tensorflow_serving/json_value.h"

namespace protean::tfserving {

/// `value`: of a text that check_syntax() has passed.  Thread-safe.
[[nodiscard]] std::string print_value(const JsonValue& value);

}  // namespace protean::tfserving
