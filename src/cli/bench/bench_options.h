// SPDX-License-Identifier: Apache-2.0
// What `protean bench` is told.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/load/arrivals.h"

namespace protean {

/// kAuto: binary for tensors of more than kExampleElementsMax elements in all, else JSON. gRPC is always binary.
enum class BodyForm : unsigned char { kAuto, kJson, kBinary };

struct BenchOptions {
  bool help = false;
  std::string model;  // a name at `url`, or a file or folder
  std::string url = "http://127.0.0.1:8080";
  bool url_said = false;
  bool grpc = false;
  BodyForm body = BodyForm::kAuto;
  std::uint64_t connections = 4;
  std::uint64_t streams = 1;
  std::uint64_t threads = 1;
  double rate = 0;  // 0: closed loop
  ArrivalKind arrivals = ArrivalKind::kConstant;
  Duration duration = std::chrono::seconds(10);
  Duration warm_up = std::chrono::seconds(1);
  Duration timeout = std::chrono::seconds(10);
  Duration deadline{};  // told to the server with each request; zero: nothing is
  std::uint64_t rows = 1;
  bool rows_said = false;
  std::vector<std::filesystem::path> inputs;
  std::string version;  // number or alias; empty: the default one
  std::uint64_t seed = 1;
  std::string json;  // file, `-` for standard output; empty: none
};

/// `args`: what follows `protean bench`.  Errors: kInvalidArgument.
[[nodiscard]] Result<BenchOptions> parse_bench_options(std::span<const std::string> args);
[[nodiscard]] std::string bench_help();

}  // namespace protean
