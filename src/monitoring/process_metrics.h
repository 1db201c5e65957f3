// SPDX-License-Identifier: Apache-2.0
// The process_* figures that Prometheus client libraries agree on, so that existing dashboards work.
#pragma once

#include "base/metrics.h"

namespace protean {

/// Registers the figures and reads them anew before each snapshot; adds `protean_build_info{version}`.
/// Figures that the system does not tell stay at 0.  Call once per registry.
/// Source: https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
void add_process_metrics(metrics::Registry& registry);

}  // namespace protean
