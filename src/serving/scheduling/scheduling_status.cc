// SPDX-License-Identifier: Apache-2.0
// Every decision has its line, so that nobody has to guess what the server does.
#include "serving/scheduling/scheduling_status.h"

#include <fmt/format.h>

namespace protean {
namespace {

std::string batching_line(const LoadedVersion& version) {
  const BatchConfig& batch = config_of(version).batch;
  if (batch.mode == BatchConfig::Mode::kOff || batch.rows_max <= 1) return "batches: off by configuration";
  if (!version.batch.batchable) {
    return fmt::format("batches: never; {}", version.batch.reason.empty() ? "not probed" : version.batch.reason);
  }
  const auto each = [&](std::uint64_t rows) {
    return static_cast<double>(version.cost.predict(rows).count()) / static_cast<double>(rows) / 1000;
  };
  const std::uint64_t rows = std::min<std::uint64_t>(batch.rows_max, 16);
  switch (version.lane.sharing.why()) {
    case SharingDecision::Why::kOff:
    case SharingDecision::Why::kNotBatchable:
    case SharingDecision::Why::kLearning:
      return fmt::format("batches: up to {} rows, while it is measured whether they pay", batch.rows_max);
    case SharingDecision::Why::kOn: return fmt::format("batches: up to {} rows, on by configuration", batch.rows_max);
    case SharingDecision::Why::kPays:
      return fmt::format("batches: up to {} rows; a row costs {:.1f} us among {}, {:.1f} us alone", batch.rows_max,
                         each(rows), rows, each(1));
    case SharingDecision::Why::kDoesNotPay: break;
  }
  return fmt::format("batches: not worth it; a row costs {:.1f} us among {}, {:.1f} us alone", each(rows), rows,
                     each(1));
}

/// `instances: 2 x 1 thread; work done by runs of 1 thread: 1 at once 1.00, 2 at once 1.91`.
std::string instances_line(const LoadedVersion& version) {
  const ModelConfig& config = config_of(version);
  const Threading& threading = version.threading;
  std::string line = "instances: ";
  if (config.batch.preserve_order) {
    line += "1 (order is preserved)";
  } else if (config.instances != 0) {
    line += fmt::format("{} by configuration", config.instances);
  } else if (threading.instances != 0) {
    line += fmt::format("{}", threading.instances);
  } else {
    line += "as many as run threads";
  }
  if (threading.threads != 0) line += " x " + count_of(threading.threads, "thread");
  return threading.why.empty() ? line : line + "; " + threading.why;
}

}  // namespace

std::vector<std::string> scheduling_status(const LoadedVersion& version) {
  std::vector<std::string> lines;
  lines.push_back("runs: " + version.cost.description());
  lines.push_back("cost: " + version.cost.curve());
  lines.push_back(batching_line(version));
  if (may_share(version) && version.cost.runs_inline(0)) lines.push_back(version.lane.gathering.description());
  lines.push_back(instances_line(version));
  lines.push_back(fmt::format("now: {} waiting, {} running", version.waiting.load(), version.lane.running.load()));
  return lines;
}

}  // namespace protean
