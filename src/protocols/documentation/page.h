// SPDX-License-Identifier: Apache-2.0
// The page at /docs: every model with its signature, state and lines to paste.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/operation.h"

namespace protean {

/// HTML that refers to docs/page.css and docs/page.js only. All text from models and from the client is escaped.
/// `url`: scheme and authority as the client reached this server.
[[nodiscard]] std::string format_page(std::span<const VersionStatus> models, std::string_view url);

/// `text` with & < > " ' as character references.
[[nodiscard]] std::string escape_html(std::string_view text);

}  // namespace protean
