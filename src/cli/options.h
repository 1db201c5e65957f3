// SPDX-License-Identifier: Apache-2.0
// What `protean serve` is told, wherever it is said: flags > environment > configuration file > default.
// option_table.cc lists every option once; flags, variables, keys, help and --print-config follow from it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "core/model_entry.h"
#include "core/python_environment.h"
#include "monitoring/access_log.h"
#include "protocols/tensorflow_serving/protocol.h"
#include "transport/limits.h"

namespace protean {

/// What the command line asks for.
enum class ServeAction : unsigned char { kServe, kHelp, kVersion, kPrintConfig };

/// One `HOST:PORT[=DIALECT]`. `host`: an IPv4 or IPv6 address without brackets.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;  // 0: any free one
  std::string dialect = "default";

  /// 127.0.0.0/8 or ::1.
  [[nodiscard]] bool is_loopback() const noexcept;
  /// `127.0.0.1:8080`, `[::1]:8080`.
  [[nodiscard]] std::string authority() const;
  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

/// Effective values.  Paths are as given, those of a file made relative to its folder.
struct ServeOptions {
  ServeAction action = ServeAction::kServe;
  std::filesystem::path config;  // empty: none

  std::filesystem::path models;    // may be empty where models are named
  std::vector<ModelEntry> served;  // named with a path of their own, of the file
  bool watch = true;
  std::chrono::milliseconds poll_interval{2000};
  bool model_control = true;
  bool on_demand = false;
  std::size_t model_memory_max = std::size_t{3} << 30;  // set to three quarters of usable memory
  std::size_t load_threads = 1;
  std::filesystem::path state;  // empty: `.protean` in the model folder; `none`: nothing is kept
  std::filesystem::path cache;  // set to the user's cache folder; `none`: no cache
  std::size_t cache_bytes_max = std::size_t{10} << 30;
  std::filesystem::path onnxruntime_library;      // empty: where the build or the system has it
  std::filesystem::path tensorflow_library;       // empty: where a Python environment or the system has it
  std::filesystem::path tensorflow_lite_library;  // empty: where the build or the system has it

  std::filesystem::path python;  // empty: python3 on PATH
  std::size_t python_workers = 1;
  std::chrono::milliseconds python_run_timeout{30'000};
  std::chrono::milliseconds python_load_timeout{120'000};
  std::size_t python_memory_max = std::size_t{2} << 30;  // set to half of usable memory
  bool python_network = false;
  std::filesystem::path python_readable;  // several with `:` between them
  bool python_unpickle = false;
  std::vector<PythonEnvironment> python_environments;  // by name, of the file

  std::vector<ListenAddress> listen = {{"127.0.0.1", 8080, "default"}, {"127.0.0.1", 8081, "admin"}};
  std::string compat;        // products whose ports are opened beside those of `listen`, with commas between them
  bool listen_said = false;  // otherwise a taken admin port is no error
  bool insecure = false;
  std::filesystem::path tls_cert;  // empty together with tls_key: clear text
  std::filesystem::path tls_key;
  std::filesystem::path tls_client_ca;  // empty: clients need no certificate
  std::chrono::milliseconds drain_timeout{30'000};

  std::size_t io_threads = 1;        // set from the CPU quota
  std::size_t run_threads = 1;       // set from the CPU quota
  std::size_t intra_op_threads = 0;  // 0: chosen for each model

  TensorflowServingOptions tfserving;

  Limits limits;
  std::size_t json_depth_max = 64;
  std::size_t request_memory_max = 0;  // set to a quarter of usable memory
  std::size_t queue_max = 1024;

  log::Level log_level = log::Level::kInfo;
  log::Format log_format = log::Format::kJson;
  AccessLogPolicy access_log = AccessLogPolicy::kErrors;

  /// Where each value came from, in the order of option_table(): `default`, `flag --x`, `protean.toml:3`.
  std::vector<std::string> origins;
};

/// What the flags say of Python models: the environment without a name.
[[nodiscard]] PythonEnvironment default_python_environment(const ServeOptions& options);

/// What holds on this machine where nothing is said but by variables; no models are named.
/// Errors: as parse_serve_options().
[[nodiscard]] Result<ServeOptions> unsaid_serve_options(
    const std::vector<std::pair<std::string, std::string>>& environment);

/// `NAME=VALUE` pairs, split.
using Environment = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] Environment process_environment();

/// `args`: what follows `protean serve`. Reads the configuration file if one is named.
/// With --help or --version nothing else is looked at. Defaults come from this machine (base/cpu_quota.h).
/// Errors: kInvalidArgument or kNotFound, saying where (flag, variable, file:line), what was found, what was
/// expected, and the nearest name for an unknown one.
[[nodiscard]] Result<ServeOptions> parse_serve_options(std::span<const std::string> args,
                                                       const Environment& environment);

/// The text of `protean serve --help`.
[[nodiscard]] std::string serve_help();

/// Every effective value and its origin, as a configuration file that says the same.
[[nodiscard]] std::string format_config(const ServeOptions& options);

/// The values that differ from those of `from`, as such a file.
[[nodiscard]] std::string format_changes(const ServeOptions& options, const ServeOptions& from);

/// Errors: kInvalidArgument (the message names no option: the caller does).
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace protean
