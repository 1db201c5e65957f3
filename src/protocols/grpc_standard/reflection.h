// SPDX-License-Identifier: Apache-2.0
// Answers questions about the services that are compiled in, from their descriptors.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace protean {

/// Full names of the services this server answers, as reflection lists them.  Lives for ever.
[[nodiscard]] std::span<const std::string_view> service_names() noexcept;

/// One ServerReflectionRequest and its ServerReflectionResponse, both serialised. v1 and v1alpha are the same on
/// the wire. What is not there is answered by an error inside the response, as the protocol has it.
/// Errors: kInvalidArgument when `request` cannot be parsed.  Thread-safe.
[[nodiscard]] Result<std::string> answer_reflection(std::string_view request);

}  // namespace protean
