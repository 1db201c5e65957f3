// SPDX-License-Identifier: Apache-2.0
// Which names a pickle may mention. Nothing that is named is ever imported or called; the list exists so that a file
// that means to do anything but describe a scikit-learn model is refused, with the reason, instead of half read.
#pragma once

#include <string_view>

#include "base/result.h"

namespace protean::sklearn {

/// `module`, `name`: as the file writes them.
/// Errors: kInvalidArgument, naming both and the way out.  Thread-safe.
[[nodiscard]] Status check_global(std::string_view module, std::string_view name);
/// That a REDUCE of the global named `module`.`name` is one of those that build data.
/// Errors: as check_global().  Thread-safe.
[[nodiscard]] Status check_call(std::string_view module, std::string_view name);

/// The way out that every refusal of a class ends with.
inline constexpr std::string_view kWayOut = "enable the Python worker backend for it, or export the model to ONNX";

}  // namespace protean::sklearn
