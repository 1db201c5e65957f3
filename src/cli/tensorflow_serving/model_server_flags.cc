// SPDX-License-Identifier: Apache-2.0
// One line a flag.
#include "cli/tensorflow_serving/model_server_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"

namespace protean {
namespace {

using S = ModelServerFlags;
using F = ModelServerField;

constexpr std::array kTable = {
    ModelServerFlag{"port", "gRPC port; 0: none", [](S& s) { return F(&s.port); }},
    ModelServerFlag{"grpc_socket_path", "Unix socket for gRPC (not supported)",
                    [](S& s) { return F(&s.grpc_socket_path); }},
    ModelServerFlag{"rest_api_port", "REST port; 0: none", [](S& s) { return F(&s.rest_api_port); }},
    ModelServerFlag{"rest_api_num_threads", "threads for REST (follows the processors)",
                    [](S& s) { return F(&s.rest_api_num_threads); }},
    ModelServerFlag{"rest_api_timeout_in_ms", "time for a REST call",
                    [](S& s) { return F(&s.rest_api_timeout_in_ms); }},
    ModelServerFlag{"rest_api_enable_cors_support", "CORS headers in REST answers",
                    [](S& s) { return F(&s.rest_api_enable_cors_support); }},
    ModelServerFlag{"enable_batching", "requests share runs", [](S& s) { return F(&s.enable_batching); }},
    ModelServerFlag{"batching_parameters_file", "BatchingParameters as text",
                    [](S& s) { return F(&s.batching_parameters_file); }},
    ModelServerFlag{"enable_per_model_batching_parameters", "batching_params.pbtxt in a version's folder",
                    [](S& s) { return F(&s.enable_per_model_batching_parameters); }},
    ModelServerFlag{"allow_version_labels_for_unavailable_models", "labels may point to versions that do not serve yet",
                    [](S& s) { return F(&s.allow_version_labels_for_unavailable_models); }},
    ModelServerFlag{"model_config_file", "ModelServerConfig as text", [](S& s) { return F(&s.model_config_file); }},
    ModelServerFlag{"model_config_file_poll_wait_seconds", "how often that file is read again; 0: never",
                    [](S& s) { return F(&s.model_config_file_poll_wait_seconds); }},
    ModelServerFlag{"model_name", "name of the one model, without a file", [](S& s) { return F(&s.model_name); }},
    ModelServerFlag{"model_base_path", "its folder", [](S& s) { return F(&s.model_base_path); }},
    ModelServerFlag{"num_load_threads", "loads at one time; 0: one", [](S& s) { return F(&s.num_load_threads); }},
    ModelServerFlag{"num_unload_threads", "unloads at one time (always one)",
                    [](S& s) { return F(&s.num_unload_threads); }},
    ModelServerFlag{"max_num_load_retries", "attempts after a load that failed",
                    [](S& s) { return F(&s.max_num_load_retries); }},
    ModelServerFlag{"load_retry_interval_micros", "time between them",
                    [](S& s) { return F(&s.load_retry_interval_micros); }},
    ModelServerFlag{"file_system_poll_wait_seconds", "how often folders are looked at; 0: once, below 0: never",
                    [](S& s) { return F(&s.file_system_poll_wait_seconds); }},
    ModelServerFlag{"flush_filesystem_caches", "drop files from the page cache after loading (left to the kernel)",
                    [](S& s) { return F(&s.flush_filesystem_caches); }},
    ModelServerFlag{"tensorflow_session_parallelism", "threads inside a run; 0: chosen",
                    [](S& s) { return F(&s.tensorflow_session_parallelism); }},
    ModelServerFlag{"tensorflow_session_config_file", "ConfigProto as text (not supported)",
                    [](S& s) { return F(&s.tensorflow_session_config_file); }},
    ModelServerFlag{"tensorflow_intra_op_parallelism", "threads inside an operation; 0: chosen",
                    [](S& s) { return F(&s.tensorflow_intra_op_parallelism); }},
    ModelServerFlag{"tensorflow_inter_op_parallelism", "operations at one time; 0: chosen",
                    [](S& s) { return F(&s.tensorflow_inter_op_parallelism); }},
    ModelServerFlag{"use_alts_credentials", "ALTS for gRPC (not supported)",
                    [](S& s) { return F(&s.use_alts_credentials); }},
    ModelServerFlag{"ssl_config_file", "SSLConfig as text: TLS for gRPC", [](S& s) { return F(&s.ssl_config_file); }},
    ModelServerFlag{"platform_config_file", "PlatformConfigMap as text",
                    [](S& s) { return F(&s.platform_config_file); }},
    ModelServerFlag{"per_process_gpu_memory_fraction", "share of a GPU's memory (not supported)",
                    [](S& s) { return F(&s.per_process_gpu_memory_fraction); }},
    ModelServerFlag{"saved_model_tags", "tags of the meta graph, with commas between them",
                    [](S& s) { return F(&s.saved_model_tags); }},
    ModelServerFlag{"grpc_channel_arguments", "arguments of the gRPC library (not supported)",
                    [](S& s) { return F(&s.grpc_channel_arguments); }},
    ModelServerFlag{"grpc_max_threads", "threads for gRPC (follows the processors)",
                    [](S& s) { return F(&s.grpc_max_threads); }},
    ModelServerFlag{"enable_model_warmup", "replay assets.extra/tf_serving_warmup_requests",
                    [](S& s) { return F(&s.enable_model_warmup); }},
    ModelServerFlag{"num_request_iterations_for_warmup", "runs of each of its requests; 0: one",
                    [](S& s) { return F(&s.num_request_iterations_for_warmup); }},
    ModelServerFlag{"version", "print the version and end", [](S& s) { return F(&s.version); }},
    ModelServerFlag{"monitoring_config_file", "MonitoringConfig as text",
                    [](S& s) { return F(&s.monitoring_config_file); }},
    ModelServerFlag{"remove_unused_fields_from_bundle_metagraph",
                    "keep no more of a meta graph than is needed (always so)",
                    [](S& s) { return F(&s.remove_unused_fields_from_bundle_metagraph); }},
    ModelServerFlag{"prefer_tflite_model", "serve model.tflite in a SavedModel's folder (not supported)",
                    [](S& s) { return F(&s.prefer_tflite_model); }},
    ModelServerFlag{"num_tflite_pools", "pools of TensorFlow Lite interpreters (follows the processors)",
                    [](S& s) { return F(&s.num_tflite_pools); }},
    ModelServerFlag{"num_tflite_interpreters_per_pool", "interpreters in each (follows the processors)",
                    [](S& s) { return F(&s.num_tflite_interpreters_per_pool); }},
    ModelServerFlag{"enable_signature_method_name_check", "classify and regress only by signatures of that method",
                    [](S& s) { return F(&s.enable_signature_method_name_check); }},
    ModelServerFlag{"xla_cpu_compilation_enabled", "compile graphs with XLA (not supported)",
                    [](S& s) { return F(&s.xla_cpu_compilation_enabled); }},
    ModelServerFlag{"xla_gpu_compilation_enabled", "compile graphs with XLA (not supported)",
                    [](S& s) { return F(&s.xla_gpu_compilation_enabled); }},
    ModelServerFlag{"enable_profiler", "tensorflow.ProfilerService (not supported)",
                    [](S& s) { return F(&s.enable_profiler); }},
    ModelServerFlag{"thread_pool_factory_config_file", "ThreadPoolFactoryConfig as text (not supported)",
                    [](S& s) { return F(&s.thread_pool_factory_config_file); }},
    ModelServerFlag{"mixed_precision", "automatic mixed precision (not supported)",
                    [](S& s) { return F(&s.mixed_precision); }},
    ModelServerFlag{"skip_initialize_tpu", "no TPU is looked for (always so)",
                    [](S& s) { return F(&s.skip_initialize_tpu); }},
    ModelServerFlag{"enable_grpc_healthcheck_service", "grpc.health.v1 (always there)",
                    [](S& s) { return F(&s.enable_grpc_healthcheck_service); }},
    ModelServerFlag{"enable_serialization_as_tensor_content", "answers carry tensor_content",
                    [](S& s) { return F(&s.enable_serialization_as_tensor_content); }},
    ModelServerFlag{"help", "print this", [](S& s) { return F(&s.help); }},
};

template <typename N>
bool read_number(std::string_view text, N& out) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && read.ec == std::errc() && read.ptr == text.data() + text.size();
}

struct Reader {
  std::string_view text;

  bool operator()(bool* out) const {
    *out = text == "true";
    return text == "true" || text == "false";
  }
  bool operator()(std::string* out) const {
    *out = text;
    return text.find('\0') == std::string_view::npos;
  }
  template <typename N>
  bool operator()(N* out) const {
    return read_number(text, *out);
  }
};

struct Printer {
  std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
  std::string operator()(const std::string* value) const { return *value; }
  template <typename N>
  std::string operator()(const N* value) const {
    return fmt::format("{}", *value);
  }
};

std::string_view expected(const ModelServerField& field) {
  constexpr std::array<std::string_view, 5> kNames = {"true or false", "a whole number of 32 bits",
                                                      "a whole number of 64 bits", "a number", "text"};
  return kNames.at(field.index());
}

Status read_flag(const ModelServerFlag& flag, std::string_view argument, std::string_view rest,
                 ModelServerFlags& flags) {
  const ModelServerField field = flag.field(flags);
  const bool bare = rest.empty() && std::holds_alternative<bool*>(field);
  const std::string_view value = bare ? "true" : rest.substr(std::min<std::size_t>(1, rest.size()));
  const bool has_value = bare || rest.starts_with('=');
  if (!has_value || !std::visit(Reader{value}, field)) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: expected --{}=VALUE with {}", printable(argument), flag.name, expected(field)));
  }
  flags.given.emplace(flag.name);
  return {};
}

}  // namespace

std::span<const ModelServerFlag> model_server_flag_table() noexcept { return kTable; }

Result<ModelServerFlags> parse_model_server_flags(std::span<const std::string> args) {
  ModelServerFlags flags;
  for (const std::string& argument : args) {
    const std::string_view text = argument;
    const std::string_view name = text.starts_with("--") ? text.substr(2, text.find('=') - 2) : std::string_view{};
    const auto flag = std::ranges::find(kTable, name, &ModelServerFlag::name);
    if (name.empty() || flag == kTable.end()) {
      flags.unknown.push_back(argument);
      continue;
    }
    TRY_STATUS(read_flag(*flag, argument, text.substr(2 + name.size()), flags));
  }
  return flags;
}

std::string format_model_server_flag(const ModelServerFlag& flag, const ModelServerFlags& flags) {
  // The table hands out pointers to change; nothing is changed through this one.
  return std::visit(Printer{}, flag.field(const_cast<ModelServerFlags&>(flags)));
}

std::string model_server_usage() {
  const ModelServerFlags defaults;
  std::string out =
      "usage: protean tensorflow_model_server [--flag=value...]\n\n"
      "Runs with the command line, the folders and the configuration files of TensorFlow Serving.\n"
      "Without --model_base_path and --model_config_file, the variables MODEL_NAME and MODEL_BASE_PATH\n"
      "say what to serve on ports 8500 and 8501, as in its image.\n\nflags:\n";
  for (const auto& flag : kTable) {
    const std::string left = fmt::format("--{}={}", flag.name, format_model_server_flag(flag, defaults));
    out += fmt::format("  {:50} {}\n", left, flag.help);
  }
  return out;
}

}  // namespace protean
