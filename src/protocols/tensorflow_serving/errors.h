// SPDX-License-Identifier: Apache-2.0
// Errors in TensorFlow Serving's own words, and their HTTP status. The table is section 2 of its protocol's
// description.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/http.h"

namespace protean::tfserving {

/// What a request asked for, as messages tell it. At most one of `version` and `label` is set.
struct Asked {
  std::string model = {};
  std::optional<std::string> version = {};
  std::optional<std::string> label = {};
  std::string function = {};
};

/// 400 for kInvalidArgument, and so on.
[[nodiscard]] int http_status(Code code) noexcept;

/// The text of an Error about a model, version, label or function that is not there; others stay as they are.
/// `rest`: REST and gRPC tell an unknown function apart in different ways.
[[nodiscard]] Error in_their_words(Error error, const Asked& asked, bool rest);

/// `{ "error": "..." }` in the layout of TensorFlow Serving.
[[nodiscard]] Response json_error(int status, std::string_view message);
/// The status and, above 1024 bytes, a message that is cut.
[[nodiscard]] Response grpc_error(const Error& error);

/// Appends `text` as a JSON string: quotes, backslashes and control characters are escaped, nothing else is looked at.
void append_json_text(std::string& out, std::string_view text);

}  // namespace protean::tfserving
