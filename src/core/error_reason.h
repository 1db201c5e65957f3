// SPDX-License-Identifier: Apache-2.0
// What Error::reason tells apart. Products word these in their own ways; the code alone does not say which it is.
#pragma once

#include <string_view>

namespace protean::error_reason {

inline constexpr std::string_view kNoModel = "no_model";
inline constexpr std::string_view kNoVersion = "no_version";
inline constexpr std::string_view kNoAlias = "no_alias";
/// The model has no function of that name.
inline constexpr std::string_view kNoFunction = "no_function";
/// Known, but not (or no longer) loaded.
inline constexpr std::string_view kNotReady = "not_ready";

}  // namespace protean::error_reason
