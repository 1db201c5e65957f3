// SPDX-License-Identifier: Apache-2.0
// The requests of a run, encoded once: generated from the model's signature, or read from files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "cli/bench/bench_options.h"
#include "cli/bench/bench_target.h"
#include "cli/load/load_plan.h"

namespace protean {

/// `body_bytes`: of the first one.  `form`: kJson or kBinary.
struct BenchRequests {
  std::vector<LoadRequest> requests;
  BodyForm form = BodyForm::kJson;
  std::size_t body_bytes = 0;
  std::uint64_t rows = 1;
};

/// Generated ones differ from each other, so that no cache can answer them all.
/// Errors: kInvalidArgument (rows for a model that takes one only; a file that is no request), kNotFound.
[[nodiscard]] Result<BenchRequests> make_bench_requests(const BenchTarget& target, const BenchOptions& options);

/// Sends each of the first few once, so that what cannot work fails before the load begins.
/// Errors: what the server said.
[[nodiscard]] Status probe_requests(const BenchTarget& target, const BenchRequests& requests,
                                    const BenchOptions& options);

}  // namespace protean
