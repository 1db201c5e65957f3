// SPDX-License-Identifier: Apache-2.0
// Base64 of RFC 4648, section 4, as lenient as the original: padding may be absent, white space is passed over.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace protean::tfserving {

/// Standard alphabet, with padding.
void append_base64(std::string& out, std::string_view bytes);

/// nullopt for a byte outside the standard alphabet, a wrong amount of padding, or a single character left over.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace protean::tfserving
