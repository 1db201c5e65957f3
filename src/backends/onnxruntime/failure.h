// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime's messages, made readable: without its source files and signatures, and, where a user can do
// something about it, with what.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace protean {

/// On one line, without source places and error prefixes, at most 512 bytes.
[[nodiscard]] std::string clean_message(std::string_view message);

/// Why a session could not be made and how to mend it. `version`: the library's, such as `1.27.0`.
[[nodiscard]] std::string explain_load_failure(std::string_view message, std::string_view version);

/// What a failed run means to the caller: kInvalidArgument when the input is to blame, kResourceExhausted
/// when memory ran out, else kInternal. `invalid_argument`: the library's own verdict.
[[nodiscard]] Error explain_run_failure(std::string_view message, bool invalid_argument);

}  // namespace protean
