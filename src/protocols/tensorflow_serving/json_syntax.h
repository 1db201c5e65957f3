// SPDX-License-Identifier: Apache-2.0
// Whether a text is JSON as TensorFlow Serving's parser (RapidJSON, iterative, NaN and Infinity allowed) takes it, with
// that parser's messages and positions: what follows the first value is not looked at, a byte 0 ends the text.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace protean::tfserving {

/// `offset`: where the reader stood, in bytes from the start of the text; nullopt for an empty text.
struct SyntaxError {
  std::string text;
  std::optional<std::size_t> offset;
};

/// `root`: where the first value starts.
struct Syntax {
  std::size_t root = 0;
  std::optional<SyntaxError> error;
};

/// Takes time in proportion to the text and memory in proportion to `depth_max`.
/// `depth_max`: lists and objects inside each other; more are an error (the original overflows its stack).
[[nodiscard]] Syntax check_syntax(std::string_view text, std::size_t depth_max);

/// `JSON Parse error: ... at offset: N` as kInvalidArgument.
[[nodiscard]] Error syntax_error(const SyntaxError& error);

}  // namespace protean::tfserving
