// SPDX-License-Identifier: Apache-2.0
// The command line of tensorflow_model_server, flag by flag, read as that program reads it.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace protean {

/// Defaults are those of the original.  `given`: the flags that were said.  `unknown`: arguments that are none.
struct ModelServerFlags {
  std::int32_t port = 8500;
  std::string grpc_socket_path;
  std::int32_t rest_api_port = 0;
  std::int32_t rest_api_num_threads = 0;  // the original: 4 for each CPU
  std::int32_t rest_api_timeout_in_ms = 30000;
  bool rest_api_enable_cors_support = false;
  bool enable_batching = false;
  std::string batching_parameters_file;
  bool enable_per_model_batching_parameters = false;
  bool allow_version_labels_for_unavailable_models = false;
  std::string model_config_file;
  std::int32_t model_config_file_poll_wait_seconds = 0;
  std::string model_name = "default";
  std::string model_base_path;
  std::int32_t num_load_threads = 0;
  std::int32_t num_unload_threads = 0;
  std::int32_t max_num_load_retries = 5;
  std::int64_t load_retry_interval_micros = 60'000'000;
  std::int32_t file_system_poll_wait_seconds = 1;
  bool flush_filesystem_caches = true;
  std::int64_t tensorflow_session_parallelism = 0;
  std::string tensorflow_session_config_file;
  std::int64_t tensorflow_intra_op_parallelism = 0;
  std::int64_t tensorflow_inter_op_parallelism = 0;
  bool use_alts_credentials = false;
  std::string ssl_config_file;
  std::string platform_config_file;
  float per_process_gpu_memory_fraction = 0;
  std::string saved_model_tags = "serve";
  std::string grpc_channel_arguments;
  std::int32_t grpc_max_threads = 0;  // the original: 4 for each CPU
  bool enable_model_warmup = true;
  std::int32_t num_request_iterations_for_warmup = 0;
  bool version = false;
  std::string monitoring_config_file;
  bool remove_unused_fields_from_bundle_metagraph = true;
  bool prefer_tflite_model = false;
  std::int32_t num_tflite_pools = 0;  // the original: one for each CPU
  std::int32_t num_tflite_interpreters_per_pool = 1;
  bool enable_signature_method_name_check = false;
  bool xla_cpu_compilation_enabled = false;
  bool xla_gpu_compilation_enabled = false;
  bool enable_profiler = true;
  std::string thread_pool_factory_config_file;
  std::string mixed_precision;
  bool skip_initialize_tpu = false;
  bool enable_grpc_healthcheck_service = false;
  bool enable_serialization_as_tensor_content = false;
  bool help = false;

  std::set<std::string, std::less<>> given;
  std::vector<std::string> unknown;
};

/// The member that a flag sets; its type says how its value is read.
using ModelServerField = std::variant<bool*, std::int32_t*, std::int64_t*, float*, std::string*>;

/// `help`: one line.
struct ModelServerFlag {
  std::string_view name;
  std::string_view help;
  ModelServerField (*field)(ModelServerFlags&);
};

/// In the order of the help; lives for ever.
[[nodiscard]] std::span<const ModelServerFlag> model_server_flag_table() noexcept;

/// `args`: what follows the command; `--name=value`, or `--name` for a flag that is true or false.
/// Errors: kInvalidArgument for a value that its flag cannot have.
[[nodiscard]] Result<ModelServerFlags> parse_model_server_flags(std::span<const std::string> args);

/// Every flag with its default.
[[nodiscard]] std::string model_server_usage();

/// The value as it would stand behind `=`.
[[nodiscard]] std::string format_model_server_flag(const ModelServerFlag& flag, const ModelServerFlags& flags);

}  // namespace protean
