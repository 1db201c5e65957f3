// SPDX-License-Identifier: Apache-2.0
// Two tables: flags, and fields by the message that they belong to. A field in no table is unsupported; messages are
// walked by reflection, so that one that is new to us is named as well.
#include "cli/tensorflow_serving/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "protocols/tensorflow_serving/config_text.h"

namespace protean {
namespace {

constexpr std::size_t kValueBytesMax = 120;

struct Rule {
  std::string_view name;
  Fate fate;
  std::string_view remark;
};

constexpr std::array kFlagRules = {
    Rule{"port", Fate::kMapped, "a listener of the dialect tfserving"},
    Rule{"grpc_socket_path", Fate::kUnsupported, "there are no Unix sockets; clients use --port"},
    Rule{"rest_api_port", Fate::kMapped, "a listener of the dialect tfserving"},
    Rule{"rest_api_num_threads", Fate::kApproximated, "the threads of sockets follow the processors: --io-threads"},
    Rule{"rest_api_timeout_in_ms", Fate::kMapped, "tfserving_rest_timeout"},
    Rule{"rest_api_enable_cors_support", Fate::kMapped, "tfserving_cors"},
    Rule{"enable_batching", Fate::kMapped, "[batch] of each model"},
    Rule{"batching_parameters_file", Fate::kMapped, "[batch] of each model"},
    Rule{"enable_per_model_batching_parameters", Fate::kApproximated,
         "the file of the newest version holds for all versions of a model"},
    Rule{"allow_version_labels_for_unavailable_models", Fate::kMapped, "aliases may always be set so in configuration"},
    Rule{"model_config_file", Fate::kMapped, "[served.NAME]"},
    Rule{"model_config_file_poll_wait_seconds", Fate::kApproximated,
         "by tensorflow_model_server; a file of protean serve is read once"},
    Rule{"model_name", Fate::kMapped, "[served.NAME]"},
    Rule{"model_base_path", Fate::kMapped, "[served.NAME]"},
    Rule{"num_load_threads", Fate::kMapped, "load_threads"},
    Rule{"num_unload_threads", Fate::kApproximated, "one thread takes versions apart"},
    Rule{"max_num_load_retries", Fate::kMapped, "[load] of each model"},
    Rule{"load_retry_interval_micros", Fate::kMapped, "[load] of each model"},
    Rule{"file_system_poll_wait_seconds", Fate::kMapped, "poll_interval, or watch = false"},
    Rule{"flush_filesystem_caches", Fate::kApproximated, "the kernel gives pages of files back when memory is needed"},
    Rule{"tensorflow_session_parallelism", Fate::kApproximated, "threads inside one run: intra_op_threads"},
    Rule{"tensorflow_session_config_file", Fate::kUnsupported,
         "threads and devices follow the machine: --intra-op-threads"},
    Rule{"tensorflow_intra_op_parallelism", Fate::kMapped, "intra_op_threads"},
    Rule{"tensorflow_inter_op_parallelism", Fate::kApproximated,
         "runs at one time follow the processors: --run-threads"},
    Rule{"use_alts_credentials", Fate::kUnsupported, "there is no ALTS; the server does not start with it"},
    Rule{"ssl_config_file", Fate::kMapped, "TLS of the gRPC listener"},
    Rule{"platform_config_file", Fate::kApproximated, "what the file says about batching, tags and warm-up is taken"},
    Rule{"per_process_gpu_memory_fraction", Fate::kUnsupported, "models run on processors"},
    Rule{"saved_model_tags", Fate::kMapped, "[tensorflow] of each model"},
    Rule{"grpc_channel_arguments", Fate::kUnsupported,
         "another gRPC library; limits of our own are in docs/configuration.md"},
    Rule{"grpc_max_threads", Fate::kApproximated, "the threads of sockets follow the processors: --io-threads"},
    Rule{"enable_model_warmup", Fate::kMapped, "[warm_up] of each model"},
    Rule{"num_request_iterations_for_warmup", Fate::kMapped, "[warm_up] of each model"},
    Rule{"version", Fate::kMapped, ""},
    Rule{"monitoring_config_file", Fate::kMapped, "tfserving_metrics_path"},
    Rule{"remove_unused_fields_from_bundle_metagraph", Fate::kMapped, "no more of a meta graph is kept than is needed"},
    Rule{"prefer_tflite_model", Fate::kUnsupported,
         "the SavedModel is served; a .tflite file in a folder of its own is served as such"},
    Rule{"num_tflite_pools", Fate::kApproximated, "interpreters follow the processors"},
    Rule{"num_tflite_interpreters_per_pool", Fate::kApproximated, "interpreters follow the processors"},
    Rule{"enable_signature_method_name_check", Fate::kMapped, "tfserving_check_method_names"},
    Rule{"xla_cpu_compilation_enabled", Fate::kUnsupported, "graphs are not compiled with XLA"},
    Rule{"xla_gpu_compilation_enabled", Fate::kUnsupported, "graphs are not compiled with XLA"},
    Rule{"enable_profiler", Fate::kUnsupported,
         "there is no tensorflow.ProfilerService; the metrics show where time goes"},
    Rule{"thread_pool_factory_config_file", Fate::kUnsupported, "one pool of threads runs all models: --run-threads"},
    Rule{"mixed_precision", Fate::kUnsupported, "models run as they were saved"},
    Rule{"skip_initialize_tpu", Fate::kMapped, "no TPU is looked for"},
    Rule{"enable_grpc_healthcheck_service", Fate::kMapped, "grpc.health.v1 is always there"},
    Rule{"enable_serialization_as_tensor_content", Fate::kMapped, "tfserving_tensor_content"},
    Rule{"help", Fate::kMapped, ""},
};

constexpr std::array kFieldRules = {
    Rule{"ModelConfig.name", Fate::kMapped, "[served.NAME]"},
    Rule{"ModelConfig.base_path", Fate::kMapped, "path"},
    Rule{"ModelConfig.model_type", Fate::kMapped, "models are told by their content"},
    Rule{"ModelConfig.model_platform", Fate::kMapped, "models are told by their content"},
    Rule{"ModelConfig.logging_config", Fate::kUnsupported,
         "requests are not logged to a collector; the original does not start with it"},
    Rule{"Latest.num_versions", Fate::kMapped, "versions"},
    Rule{"ServableVersionPolicy.all", Fate::kMapped, "versions"},
    Rule{"Specific.versions", Fate::kMapped, "versions"},
    Rule{"ModelConfig.version_labels", Fate::kMapped, "aliases"},
    Rule{"ModelServerConfig.custom_model_config", Fate::kUnsupported, "the original ends itself with it"},
    Rule{"BatchingParameters.max_batch_size", Fate::kMapped, "batch.rows_max"},
    Rule{"BatchingParameters.batch_timeout_micros", Fate::kMapped, "batch.delay"},
    Rule{"BatchingParameters.max_enqueued_batches", Fate::kApproximated,
         "queue_max bounds the waiting requests of a model"},
    Rule{"BatchingParameters.num_batch_threads", Fate::kApproximated,
         "runs at one time follow the processors: --run-threads"},
    Rule{"BatchingParameters.thread_pool_name", Fate::kApproximated, "one pool of threads runs all models"},
    Rule{"BatchingParameters.allowed_batch_sizes", Fate::kMapped, "batch.rows_preferred with batch.pad_rows"},
    Rule{"BatchingParameters.pad_variable_length_inputs", Fate::kApproximated,
         "batch.pad_dims: filled up with zeros, not with a tensor's first value"},
    Rule{"BatchingParameters.enable_large_batch_splitting", Fate::kMapped, "batch.split"},
    Rule{"BatchingParameters.max_execution_batch_size", Fate::kMapped, "batch.rows_max"},
    Rule{"SSLConfig.server_key", Fate::kMapped, "tls_key"},
    Rule{"SSLConfig.server_cert", Fate::kMapped, "tls_cert"},
    Rule{"SSLConfig.custom_ca", Fate::kMapped, "tls_client_ca"},
    Rule{"SSLConfig.client_verify", Fate::kMapped, "tls_client_ca"},
    Rule{"PrometheusConfig.enable", Fate::kMapped, "tfserving_metrics_path"},
    Rule{"PrometheusConfig.path", Fate::kMapped, "tfserving_metrics_path"},
    Rule{"SessionBundleConfig.saved_model_tags", Fate::kMapped, "[tensorflow] tags"},
    Rule{"SessionBundleConfig.enable_model_warmup", Fate::kMapped, "[warm_up] recorded"},
    Rule{"ModelWarmupOptions.num_request_iterations", Fate::kMapped, "[warm_up] recorded_runs"},
};

template <typename Rules>
const Rule* find_rule(const Rules& rules, std::string_view name) noexcept {
  const auto found = std::ranges::find(rules, name, &Rule::name);
  return found == rules.end() ? nullptr : &*found;
}

}  // namespace

std::string_view fate_name(Fate fate) noexcept {
  constexpr std::array<std::string_view, 3> kNames = {"mapped", "approximated", "unsupported"};
  return kNames.at(static_cast<std::size_t>(fate));
}

std::vector<Finding> flag_findings(const ModelServerFlags& flags) {
  std::vector<Finding> findings;
  for (const auto& flag : model_server_flag_table()) {
    if (!flags.given.contains(flag.name)) continue;
    const Rule* rule = find_rule(kFlagRules, flag.name);
    findings.push_back({"command line", fmt::format("--{}", flag.name),
                        printable(format_model_server_flag(flag, flags), kValueBytesMax),
                        rule == nullptr ? Fate::kUnsupported : rule->fate,
                        rule == nullptr ? "no counterpart here" : std::string(rule->remark)});
  }
  for (const auto& argument : flags.unknown) {
    findings.push_back(
        {"command line", printable(argument, kValueBytesMax), "", Fate::kUnsupported, "no flag of TensorFlow Serving"});
  }
  return findings;
}

std::vector<Finding> message_findings(const google::protobuf::Message& message, std::string_view source) {
  std::vector<Finding> findings;
  const auto known = [](std::string_view name) { return find_rule(kFieldRules, name) != nullptr; };
  for (auto& field : tfserving::config_fields(message, known)) {
    const Rule* rule = find_rule(kFieldRules, field.name);
    findings.push_back({std::string(source), std::move(field.path), std::move(field.value),
                        rule == nullptr ? Fate::kUnsupported : rule->fate,
                        rule == nullptr ? "no counterpart here" : std::string(rule->remark)});
  }
  return findings;
}

std::string format_findings(std::span<const Finding> findings, Fate least) {
  std::string out;
  std::string_view source;
  for (const auto& finding : findings) {
    if (finding.fate < least) continue;
    if (finding.source != source) out += fmt::format("{}:\n", source = finding.source);
    out +=
        fmt::format("  {:13} {}{}{}{}{}\n", fate_name(finding.fate), finding.field, finding.value.empty() ? "" : " = ",
                    finding.value, finding.remark.empty() ? "" : ": ", finding.remark);
  }
  return out;
}

}  // namespace protean
