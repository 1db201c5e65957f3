// SPDX-License-Identifier: Apache-2.0
// The same curves as a page of its own: one file, nothing loaded from anywhere, no script.
#pragma once

#include <string>

#include "cli/tune/tune_report.h"

namespace protean {

/// A complete HTML document with the chart as inline SVG and the table below it.
[[nodiscard]] std::string format_tune_html(const TuneReport& report);

}  // namespace protean
