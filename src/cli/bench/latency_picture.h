// SPDX-License-Identifier: Apache-2.0
// The shape of latencies in a terminal: one line a range, ranges growing by a constant factor, so that a tail a
// hundred times slower than the middle still shows.
#pragma once

#include <string>

#include "base/latency_histogram.h"
#include "cli/start_up_card.h"

namespace protean {

/// `blocks`: bars of Unicode block elements, in eighths of a column; else of `#`.
struct PictureStyle {
  std::size_t columns = 100;
  bool colour = false;
  bool blocks = false;
};

/// Blocks for a terminal whose locale is UTF-8.
[[nodiscard]] PictureStyle picture_style(int descriptor);

/// Lines with range, bar, count, share, and the percentiles that fall into the range; empty without values.
/// No line is wider than `columns`, which counts as at least 60.
[[nodiscard]] std::string format_latency_picture(const LatencyHistogram& histogram, const PictureStyle& style);

}  // namespace protean
