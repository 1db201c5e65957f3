// SPDX-License-Identifier: Apache-2.0
// One rule for every limit: a model may lower it.
#include "backends/python/environments.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/cpu_quota.h"
#include "base/text.h"

namespace protean::python {
namespace {

constexpr std::uint32_t kWorkersMax = 64;
constexpr std::uint64_t kMemoryBytesMin = std::uint64_t{64} << 20;

/// `limit`: of the environment; 0: it has none.
template <typename T>
Status lower(T& limit, T wanted, std::string_view key, const PythonEnvironment& environment) {
  if (wanted == T{}) return {};
  if (limit == T{} || wanted <= limit) {
    limit = wanted;
    return {};
  }
  return fail(Code::kInvalidArgument, "[python] " + std::string(key) + " is above what " + describe(environment) +
                                          " allows: " + "protean.toml may only lower it");
}

/// Limits of a process that others live in too are not one model's to lower.
Status check_shared(const PythonEnvironment& environment, const PythonConfig& config) {
  if (!environment.shared) return {};
  std::string_view key;
  if (config.workers > 1) key = "workers";
  if (config.cpu_cores_max != 0) key = "cpu_cores_max";
  if (config.memory_bytes_max != 0) key = "memory_max";
  if (key.empty()) return {};
  return fail(Code::kInvalidArgument, "[python] " + std::string(key) + " is of the process, and models share that of " +
                                          describe(environment) + ": leave it out, or choose another environment");
}

Result<const PythonEnvironment*> find(const PythonOptions& options, const std::string& name) {
  if (name.empty()) return &options.all;
  const auto found = std::ranges::find(options.environments, name, &PythonEnvironment::name);
  if (found != options.environments.end()) return &*found;
  std::string known;
  for (const auto& environment : options.environments) {
    known += (known.empty() ? "'" : ", '") + printable(environment.name) + "'";
  }
  return fail(Code::kFailedPrecondition,
              "[python] environment = \"" + printable(name) + "\" is not defined; " +
                  (known.empty() ? "there are none: define it as [python_environments." + printable(name) +
                                       "] in the server's configuration file"
                                 : "known are " + known));
}

}  // namespace

std::string describe(const PythonEnvironment& environment) {
  return environment.name.empty() ? "the default environment" : "environment '" + printable(environment.name) + "'";
}

Status check_environment(const PythonEnvironment& environment) {
  const auto refuse = [&](const std::string& what) {
    return fail(Code::kInvalidArgument, "Python workers of " + describe(environment) + ": " + what);
  };
  if (environment.workers < 1 || environment.workers > kWorkersMax) {
    return refuse(std::to_string(environment.workers) + " for each model, expected 1 to " +
                  std::to_string(kWorkersMax));
  }
  if (environment.shared && environment.workers != 1) {
    return refuse(std::to_string(environment.workers) + ", expected workers = 1 where shared = true");
  }
  if (environment.run_time_max <= Duration::zero() || environment.load_time_max <= Duration::zero()) {
    return refuse("a time-out of nothing, expected more");
  }
  if (environment.memory_bytes_max != 0 && environment.memory_bytes_max < kMemoryBytesMin) {
    return refuse(std::to_string(environment.memory_bytes_max) + " bytes of memory, expected at least " +
                  std::to_string(kMemoryBytesMin));
  }
  for (const auto& variable : environment.variables) {
    if (variable.find('=') == 0 || variable.find('=') == std::string::npos) {
      return refuse("variable '" + printable(variable) + "', expected NAME=VALUE");
    }
  }
  return {};
}

Result<PythonEnvironment> choose_environment(const PythonOptions& options, const PythonConfig& config) {
  TRY(const auto* const found, find(options, config.environment));
  PythonEnvironment chosen = *found;
  if (const auto usable = usable_memory_bytes(); chosen.memory_bytes_max == 0 && usable != 0) {
    chosen.memory_bytes_max = std::max(usable / 2, kMemoryBytesMin);
  }
  TRY_STATUS(check_shared(chosen, config));
  TRY_STATUS(lower(chosen.workers, config.workers, "workers", chosen));
  TRY_STATUS(lower(chosen.cpu_cores_max, config.cpu_cores_max, "cpu_cores_max", chosen));
  TRY_STATUS(lower(chosen.memory_bytes_max, config.memory_bytes_max, "memory_max", chosen));
  TRY_STATUS(lower(chosen.run_time_max, config.run_time_max, "run_timeout", chosen));
  TRY_STATUS(lower(chosen.load_time_max, config.load_time_max, "load_timeout", chosen));
  TRY_STATUS(check_environment(chosen));
  return chosen;
}

}  // namespace protean::python
