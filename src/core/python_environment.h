// SPDX-License-Identifier: Apache-2.0
// In what Python models run: environments that the operator defines, and what a model may say about the one it wants.
// Whatever opens the fence stands in the environment; a model's own file can only lower limits.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace protean {

/// `name`: empty for the one that the server's flags describe.
/// `interpreter`: a program or the folder of a virtual environment; empty: python3 on PATH.
/// `workers`: processes for each version.  `memory_bytes_max`: of each; 0: half of the usable memory.
/// `cpu_cores_max`: cores that each may use; 0: as the server.
/// `network`: they may open sockets.  `readable`: files and folders that they may read besides the model's own folder,
/// the interpreter's and the system's libraries.  `scratch`: a folder that they may write to; empty: none.
/// `variables`: NAME=VALUE, on top of a small fixed environment.
/// `shared`: all versions that choose it live in one process, which may read the whole folder of models; `workers`
/// is 1.
struct PythonEnvironment {
  std::string name = {};
  std::string interpreter = {};
  std::uint32_t workers = 1;
  Duration run_time_max = std::chrono::seconds(30);
  Duration load_time_max = std::chrono::seconds(120);
  std::uint64_t memory_bytes_max = 0;
  std::uint32_t cpu_cores_max = 0;
  bool network = false;
  std::vector<std::string> readable = {};
  std::string scratch = {};
  std::vector<std::string> variables = {};
  bool shared = false;
};

/// `[python]` of a model. `environment`: a name; empty: the flags'. The limits are at most the environment's; 0: those.
struct PythonConfig {
  std::string environment = {};
  std::uint32_t workers = 0;
  std::uint32_t cpu_cores_max = 0;
  std::uint64_t memory_bytes_max = 0;
  Duration run_time_max{};
  Duration load_time_max{};
};

}  // namespace protean
