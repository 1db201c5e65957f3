// SPDX-License-Identifier: Apache-2.0
// The example request as a Python program for tritonclient, the client most users of the protocol have.
#pragma once

#include <string>
#include <string_view>

#include "core/model.h"

namespace protean {

/// `127.0.0.1:8080` of `http://127.0.0.1:8080`.
[[nodiscard]] std::string_view authority_of(std::string_view url) noexcept;

/// A Python program that sends the example with tritonclient over HTTP and prints the outputs.
[[nodiscard]] std::string example_python(std::string_view url, std::string_view model, std::string_view version,
                                         const Signature& signature);

}  // namespace protean
