// SPDX-License-Identifier: Apache-2.0
// Flag by flag and file by file; the findings are made beside it, from the same messages.
#include "cli/tensorflow_serving/translation.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "cli/tensorflow_serving/text_files.h"
#include "core/http.h"
#include "proto/tensorflow_serving_config.pb.h"
#include "protocols/tensorflow_serving/reload.h"

namespace protean {
namespace {

namespace fs = std::filesystem;
using tensorflow::serving::BatchingParameters;

constexpr std::int64_t kBatchRowsDefault = 1000;
constexpr std::string_view kBatchingFile = "batching_params.pbtxt";

std::string_view variable(const Environment& environment, std::string_view name) {
  const auto found =
      std::ranges::find(environment, name, [](const auto& entry) { return std::string_view(entry.first); });
  return found == environment.end() ? std::string_view{} : std::string_view(found->second);
}

/// What the start script of TensorFlow Serving's image makes of these variables.
void take_image_variables(ModelServerFlags& flags, const Environment& environment) {
  const auto name = variable(environment, "MODEL_NAME");
  const auto base = variable(environment, "MODEL_BASE_PATH");
  const bool said = flags.given.contains("model_base_path") || flags.given.contains("model_config_file");
  if (said || (name.empty() && base.empty())) return;
  if (!flags.given.contains("model_name")) flags.model_name = name.empty() ? "model" : std::string(name);
  flags.model_base_path = fmt::format("{}/{}", base.empty() ? "/models" : base, flags.model_name);
  if (!flags.given.contains("rest_api_port")) flags.rest_api_port = 8501;
}

template <typename F>
Result<BatchConfig> batch_config(const BatchingParameters& given, F&& wrong) {
  BatchConfig batch;
  batch.mode = BatchConfig::Mode::kOn;
  const std::int64_t rows = given.has_max_batch_size() ? given.max_batch_size().value() : kBatchRowsDefault;
  const bool splits = given.has_enable_large_batch_splitting() && given.enable_large_batch_splitting().value();
  const std::int64_t executed =
      splits && given.has_max_execution_batch_size() ? given.max_execution_batch_size().value() : rows;
  if (rows <= 0 || executed <= 0)
    return wrong(fmt::format("max_batch_size {}, expected at least 1", std::min(rows, executed)));
  batch.rows_max = static_cast<std::uint64_t>(executed);
  batch.split = splits;
  batch.pad_dims = given.pad_variable_length_inputs();
  if (const std::int64_t us = given.has_batch_timeout_micros() ? given.batch_timeout_micros().value() : 0; us >= 0) {
    batch.delay = std::chrono::microseconds(std::min<std::int64_t>(us, 3'600'000'000));
  } else {
    return wrong(fmt::format("batch_timeout_micros {}, expected at least 0", us));
  }
  std::int64_t before = 0;
  for (const std::int64_t size : given.allowed_batch_sizes()) {
    if (size <= before)
      return wrong(fmt::format("allowed_batch_sizes: {} after {}, expected ascending sizes", size, before));
    batch.rows_preferred.push_back(static_cast<std::uint64_t>(before = size));
  }
  if (before != 0 && before != executed) {
    return wrong(fmt::format("allowed_batch_sizes end with {}, expected {}", before, executed));
  }
  batch.pad_rows = before != 0;
  return batch;
}

Result<BatchConfig> read_batching(const fs::path& file, std::vector<Finding>& findings) {
  BatchingParameters given;
  TRY_STATUS(read_text_message(file, given));
  for (auto& finding : message_findings(given, file.string())) findings.push_back(std::move(finding));
  return batch_config(given, [&](const std::string& what) {
    return fail(Code::kInvalidArgument, fmt::format("{}: {}", printable(file.string()), what));
  });
}

/// What the flags say, step by step, as parts of one translation.
class Translator {
 public:
  Translator(ModelServerFlags flags, ServeOptions options) : flags_(std::move(flags)) {
    out_.options = std::move(options);
    out_.findings = flag_findings(flags_);
  }

  Result<Translation> run() {
    TRY_STATUS(check());
    add_listeners();
    add_limits();
    TRY_STATUS(read_platforms());
    TRY_STATUS(read_batching_flags());
    add_entry_defaults();
    TRY_STATUS(add_models());
    TRY_STATUS(read_tls());
    TRY_STATUS(read_monitoring());
    return std::move(out_);
  }

 private:
  static tl::unexpected<Error> wrong(std::string what) { return fail(Code::kInvalidArgument, std::move(what)); }

  Status check() {
    if (flags_.use_alts_credentials)
      return wrong(
          "--use_alts_credentials: there is no ALTS, and without it the port would be open to all; use "
          "--ssl_config_file");
    if (!flags_.batching_parameters_file.empty() && !flags_.enable_batching) {
      return wrong(
          "server_options.batching_parameters_file: --batching_parameters_file supplied without --enable_batching");
    }
    if (flags_.model_config_file.empty() && flags_.model_base_path.empty()) {
      return wrong("neither --model_base_path nor --model_config_file is given: expected one of them");
    }
    for (const std::int32_t port : {flags_.port, flags_.rest_api_port}) {
      if (port < 0 || port > 65535) return wrong(fmt::format("port {}, expected 0 to 65535", port));
    }
    if (flags_.port == 0 && flags_.rest_api_port == 0)
      return wrong("--port and --rest_api_port are both 0: nothing to listen on");
    if (flags_.port == flags_.rest_api_port) return wrong("--port and --rest_api_port are the same");
    return {};
  }

  void add_listeners() {
    out_.options.listen.clear();
    out_.options.listen_said = true;
    out_.options.insecure = true;  // it listens on all addresses, as its users expect
    for (const std::int32_t port : {flags_.port, flags_.rest_api_port}) {
      if (port == 0) continue;
      out_.options.listen.push_back(
          {"0.0.0.0", static_cast<std::uint16_t>(port), std::string(dialect_name(Dialect::kTensorflowServing))});
    }
  }

  void add_limits() {
    ServeOptions& options = out_.options;
    options.tfserving.cors = flags_.rest_api_enable_cors_support;
    options.tfserving.rest_timeout = std::chrono::milliseconds(std::max(1, flags_.rest_api_timeout_in_ms));
    options.tfserving.tensor_content = flags_.enable_serialization_as_tensor_content;
    options.tfserving.check_method_names = flags_.enable_signature_method_name_check;
    options.load_threads = static_cast<std::size_t>(std::clamp(flags_.num_load_threads, 1, 1024));
    options.watch = flags_.file_system_poll_wait_seconds > 0;
    if (options.watch)
      options.poll_interval = std::chrono::seconds(std::min(flags_.file_system_poll_wait_seconds, 86'400));
    const std::int64_t threads =
        std::max(flags_.tensorflow_session_parallelism, flags_.tensorflow_intra_op_parallelism);
    if (threads > 0) options.intra_op_threads = static_cast<std::size_t>(std::min<std::int64_t>(threads, 1024));
  }

  /// `tensorflow { source_adapter_config { [type.googleapis.com/...SavedModelBundleSourceAdapterConfig] {...} } }`
  Status read_platforms() {
    if (flags_.platform_config_file.empty()) return {};
    tensorflow::serving::PlatformConfigMap platforms;
    TRY_STATUS(read_text_message(flags_.platform_config_file, platforms));
    for (const auto& [name, platform] : platforms.platform_configs()) {
      tensorflow::serving::SavedModelBundleSourceAdapterConfig adapter;
      const std::string source = fmt::format("{} ({})", flags_.platform_config_file, printable(name));
      if (name != "tensorflow" || !platform.source_adapter_config().UnpackTo(&adapter)) {
        out_.findings.push_back({source, "source_adapter_config", "", Fate::kUnsupported, "no counterpart here"});
        continue;
      }
      for (auto& finding : message_findings(adapter, source)) out_.findings.push_back(std::move(finding));
      TRY_STATUS(take_session(adapter.legacy_config(), source));
    }
    return {};
  }

  Status take_session(const tensorflow::serving::SessionBundleConfig& session, const std::string& source) {
    // The file stands in place of the flags about batching and sessions.
    flags_.enable_batching = session.has_batching_parameters();
    flags_.batching_parameters_file.clear();
    if (session.has_batching_parameters()) {
      TRY(out_.entry_defaults.batch, batch_config(session.batching_parameters(), [&](const std::string& what) {
            return fail(Code::kInvalidArgument, fmt::format("{}: {}", source, what));
          }));
    }
    if (session.saved_model_tags_size() > 0) {
      flags_.saved_model_tags = fmt::format("{}", fmt::join(session.saved_model_tags(), ","));
    }
    flags_.enable_model_warmup = session.enable_model_warmup();
    flags_.enable_per_model_batching_parameters = session.enable_per_model_batching_params();
    if (session.model_warmup_options().has_num_request_iterations()) {
      flags_.num_request_iterations_for_warmup = session.model_warmup_options().num_request_iterations().value();
    }
    return {};
  }

  Status read_batching_flags() {
    out_.per_model_batching = flags_.enable_batching && flags_.enable_per_model_batching_parameters;
    auto& batch = out_.entry_defaults.batch;
    if (out_.per_model_batching || batch) return {};
    if (!flags_.enable_batching) {
      // Answers are then those of single runs to the last bit, as before.
      batch.emplace().mode = BatchConfig::Mode::kOff;
    } else if (flags_.batching_parameters_file.empty()) {
      batch.emplace().mode = BatchConfig::Mode::kOn;
      batch->rows_max = kBatchRowsDefault;
      batch->split = false;
    } else {
      TRY(batch, read_batching(flags_.batching_parameters_file, out_.findings));
    }
    return {};
  }

  void add_entry_defaults() {
    ModelEntry& entry = out_.entry_defaults;
    entry.versions.emplace();
    entry.versions->choice = VersionPolicy::Choice::kLatest;
    entry.versions->keep_previous = Duration::zero();
    entry.retries.emplace();
    entry.retries->attempts_max = static_cast<std::uint32_t>(std::clamp(flags_.max_num_load_retries, 0, 999)) + 1;
    const std::int64_t wait_us = std::clamp<std::int64_t>(flags_.load_retry_interval_micros, 1000, 86'400'000'000);
    entry.retries->wait_first = entry.retries->wait_max = std::chrono::microseconds(wait_us);
    entry.warm_up.emplace();
    // The original makes up no requests: a model that one of them fails would not be loaded here and is there.
    entry.warm_up->generated_runs = 0;
    entry.warm_up->replayed_max = 0;
    entry.warm_up->recorded = flags_.enable_model_warmup;
    entry.warm_up->recorded_runs =
        static_cast<std::uint32_t>(std::clamp(flags_.num_request_iterations_for_warmup, 1, 1000));
    entry.tensorflow.emplace().tags.clear();
    for (const auto tag : split(flags_.saved_model_tags, ',')) entry.tensorflow->tags.emplace_back(tag);
  }

  Status add_models() {
    if (!flags_.model_config_file.empty()) {
      out_.config_file = flags_.model_config_file;
      TRY(out_.options.served, read_model_config_list(flags_.model_config_file, out_.findings));
      return {};
    }
    tensorflow::serving::ModelServerConfig config;
    auto* model = config.mutable_model_config_list()->add_config();
    model->set_name(flags_.model_name);
    model->set_base_path(flags_.model_base_path);
    model->set_model_platform("tensorflow");
    std::error_code error;
    // The original takes a relative path here, though not in a file.
    if (flags_.model_base_path.find("://") == std::string::npos) {
      model->set_base_path(fs::absolute(flags_.model_base_path, error).string());
    }
    TRY(out_.options.served, tfserving::model_entries(config));
    return {};
  }

  Status read_tls() {
    if (flags_.ssl_config_file.empty()) return {};
    tensorflow::serving::SSLConfig ssl;
    TRY_STATUS(read_text_message(flags_.ssl_config_file, ssl));
    for (auto& finding : message_findings(ssl, flags_.ssl_config_file)) out_.findings.push_back(std::move(finding));
    if (ssl.server_key().empty() || ssl.server_cert().empty()) {
      return wrong(fmt::format("{}: expected server_key and server_cert", printable(flags_.ssl_config_file)));
    }
    if (ssl.client_verify() && ssl.custom_ca().empty()) {
      return wrong(fmt::format("{}: client_verify without custom_ca: expected the certificates of clients' signers",
                               printable(flags_.ssl_config_file)));
    }
    out_.tls = InlineTls{ssl.server_key(), ssl.server_cert(), ssl.client_verify() ? ssl.custom_ca() : ""};
    return {};
  }

  Status read_monitoring() {
    if (flags_.monitoring_config_file.empty()) return {};
    tensorflow::serving::MonitoringConfig monitoring;
    TRY_STATUS(read_text_message(flags_.monitoring_config_file, monitoring));
    for (auto& finding : message_findings(monitoring, flags_.monitoring_config_file)) {
      out_.findings.push_back(std::move(finding));
    }
    if (!monitoring.prometheus_config().enable()) return {};
    const std::string& path = monitoring.prometheus_config().path();
    out_.options.tfserving.metrics_path = path.empty() ? std::string(kTensorflowServingMetricsPath) : path;
    return {};
  }

  ModelServerFlags flags_;
  Translation out_;
};

}  // namespace

Result<std::vector<ModelEntry>> read_model_config_list(const fs::path& file, std::vector<Finding>& findings) {
  tensorflow::serving::ModelServerConfig config;
  TRY_STATUS(read_text_message(file, config));
  for (auto& finding : message_findings(config, file.string())) findings.push_back(std::move(finding));
  // Told above; the original, which has no collector either, would end itself.
  if (config.has_model_config_list()) {
    for (auto& model : *config.mutable_model_config_list()->mutable_config()) model.clear_logging_config();
  }
  auto entries = tfserving::model_entries(config);
  if (!entries)
    return fail(entries.error().code, fmt::format("{}: {}", printable(file.string()), entries.error().message));
  return entries;
}

Result<std::optional<BatchConfig>> read_model_batching(const fs::path& files, std::vector<Finding>& findings) {
  std::uint64_t newest = 0;
  fs::path folder;
  std::error_code error;
  for (fs::directory_iterator it(files, error), end; !error && it != end; it.increment(error)) {
    const auto number = parse_uint64(it->path().filename().string());
    if (!number || *number <= newest) continue;
    newest = *number;
    folder = it->path();
  }
  if (folder.empty() || !fs::exists(folder / kBatchingFile, error)) return std::nullopt;
  TRY(auto batch, read_batching(folder / kBatchingFile, findings));
  return std::optional(std::move(batch));
}

Result<Translation> translate_model_server(ModelServerFlags flags, const Environment& environment) {
  take_image_variables(flags, environment);
  TRY(ServeOptions options, unsaid_serve_options(environment));
  return Translator(std::move(flags), std::move(options)).run();
}

}  // namespace protean
