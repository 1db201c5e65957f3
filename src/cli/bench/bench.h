// SPDX-License-Identifier: Apache-2.0
// `protean bench`: from the command line to the report.
#pragma once

#include <span>
#include <string>

#include "cli/bench/bench_options.h"
#include "cli/bench/bench_requests.h"
#include "cli/load/load_plan.h"

namespace protean {

/// `args`: what follows `bench`.  Returns the process's exit status; bench_help() lists them.
[[nodiscard]] int run_bench(std::span<const std::string> args);

/// The plan that these options ask for.
[[nodiscard]] LoadPlan load_plan(const BenchTarget& target, const BenchRequests& requests, const BenchOptions& options);

}  // namespace protean
