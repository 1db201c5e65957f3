// SPDX-License-Identifier: Apache-2.0
// What `protean tune` is told.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "base/result.h"
#include "cli/tune/tune_plan.h"

namespace protean {

struct TuneOptions {
  bool help = false;
  std::filesystem::path model;
  Slo slo;
  bool grpc = false;
  bool binary = false;
  std::uint64_t connections_max = 64;
  std::uint64_t batch_rows_max = 32;
  std::uint64_t rows = 1;
  std::vector<std::filesystem::path> inputs;
  std::uint64_t repetitions = 2;
  Duration duration_per_point = std::chrono::seconds(2);
  Duration timeout = std::chrono::seconds(10);
  std::uint64_t threads = 1;
  std::uint64_t seed = 1;
  std::filesystem::path html;
  bool dry_run = false;
};

/// `args`: what follows `protean tune`.  Errors: kInvalidArgument.
[[nodiscard]] Result<TuneOptions> parse_tune_options(std::span<const std::string> args);
[[nodiscard]] std::string tune_help();

}  // namespace protean
