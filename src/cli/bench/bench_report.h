// SPDX-License-Identifier: Apache-2.0
// What a run is shown as: a table for people, an object for scripts.
#pragma once

#include <string>

#include "cli/bench/bench_options.h"
#include "cli/bench/latency_picture.h"
#include "cli/load/load_plan.h"

namespace protean {

/// `where`: the server's URL, or that it was one of its own.  `body_bytes`: of the first request.
struct BenchReport {
  BenchOptions options;
  std::string model;
  std::string where;
  BodyForm form = BodyForm::kJson;
  std::size_t body_bytes = 0;
  std::uint64_t rows = 1;
  bool local = false;
  bool interrupted = false;
  LoadResult result;
};

[[nodiscard]] std::string format_bench_report(const BenchReport& report, const PictureStyle& style);

/// One object with configuration, throughput, latencies in milliseconds, and failures; a newline at its end.
[[nodiscard]] std::string format_bench_json(const BenchReport& report);

}  // namespace protean
