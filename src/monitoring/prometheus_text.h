// SPDX-License-Identifier: Apache-2.0
// Metrics as text: the Prometheus format 0.0.4, or OpenMetrics 1.0.0 for scrapers that ask for it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/metrics.h"

namespace protean {

enum class MetricsFormat : unsigned char { kPrometheus, kOpenMetrics };

/// The format a scraper prefers by its Accept field (RFC 9110 12.5.1); kPrometheus when in doubt.
/// `accept`: empty when the field was absent.
[[nodiscard]] MetricsFormat choose_metrics_format(std::string_view accept);

/// `text/plain; version=0.0.4; charset=utf-8` and its OpenMetrics sister.
[[nodiscard]] std::string_view metrics_content_type(MetricsFormat format) noexcept;

/// All families that have members, sorted by name.  Values are read while the text is written.
/// Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and
/// https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
[[nodiscard]] std::string format_metrics(std::span<const metrics::Family> families, MetricsFormat format);

}  // namespace protean
