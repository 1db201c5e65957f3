// SPDX-License-Identifier: Apache-2.0
// What all requests in JSON have in common: a well-formed object whose `signature_name`, if there is one, is a text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocols/tensorflow_serving/json_value.h"

namespace protean::tfserving {

/// The root, a view into `text`.  Errors: kInvalidArgument.
[[nodiscard]] Result<JsonValue> read_document(std::string_view text, std::size_t depth_max);

/// `JSON Value: <value> <what>` as kInvalidArgument.
[[nodiscard]] tl::unexpected<Error> format_error(const JsonValue& value, std::string_view what);

}  // namespace protean::tfserving
