// SPDX-License-Identifier: Apache-2.0
// Models first, then the ports: whoever waits for a port to open finds models behind it. A model that is missing or
// broken keeps nobody waiting but itself, and says so.
#include "cli/tensorflow_serving/model_server.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>

#include "base/log.h"
#include "base/text.h"
#include "cli/server_options.h"
#include "cli/stop_signals.h"
#include "cli/tensorflow_serving/text_files.h"
#include "cli/tensorflow_serving/translation.h"
#include "protocols/tensorflow_serving/config_text.h"

namespace protean {
namespace {

constexpr int kFailed = 255;
constexpr std::chrono::milliseconds kLook{50};
constexpr std::chrono::seconds kTellAgain{30};

void print(std::FILE* file, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
}

int fail_to_start(const Error& error) {
  print(stderr, fmt::format("Failed to start server. Error: {}: {}\n", code_name(error.code), error.message));
  return kFailed;
}

/// A file that has no name, for keys that are given as text and must not lie about.
class UnnamedFile {
 public:
  static Result<UnnamedFile> make(std::string_view text) {
    UnnamedFile file;
    file.descriptor_ = ::memfd_create("protean-tls", MFD_CLOEXEC);
    if (file.descriptor_ < 0) return fail(Code::kResourceExhausted, fmt::format("memfd: {}", std::strerror(errno)));
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t wrote = ::write(file.descriptor_, text.data() + at, text.size() - at);
      if (wrote <= 0) return fail(Code::kResourceExhausted, fmt::format("memfd: {}", std::strerror(errno)));
      at += static_cast<std::size_t>(wrote);
    }
    return file;
  }
  UnnamedFile(UnnamedFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  UnnamedFile& operator=(UnnamedFile&&) = delete;
  ~UnnamedFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] std::string path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

 private:
  UnnamedFile() = default;
  int descriptor_ = -1;
};

/// The listener of --port speaks TLS; that of --rest_api_port does not, as in the original.
Result<std::vector<UnnamedFile>> add_tls(const Translation& translation, ServerOptions& options) {
  std::vector<UnnamedFile> files;
  if (!translation.tls) return files;
  for (const auto* text : {&translation.tls->certificate, &translation.tls->key, &translation.tls->client_ca}) {
    TRY(auto file, UnnamedFile::make(*text));
    files.push_back(std::move(file));
  }
  options.listeners.front().tls =
      TlsFiles{files[0].path(), files[1].path(), translation.tls->client_ca.empty() ? "" : files[2].path()};
  return files;
}

/// As large as a message of gRPC may be, if all requests together may be that large; the original has no bound. What
/// the operator says in place of the default stays.
void raise_body_limit(ServerOptions& options) {
  constexpr std::size_t kMessageBytesMax = std::numeric_limits<std::int32_t>::max();
  if (options.limits.body_bytes_max != Limits().body_bytes_max) return;
  options.limits.body_bytes_max = std::min(kMessageBytesMax, options.request_memory_bytes_max);
}

ServerOptions options_of(const Translation& translation) {
  ServerOptions options = server_options(translation.options);
  raise_body_limit(options);
  options.repository.entry_defaults = translation.entry_defaults;
  if (translation.per_model_batching) {
    options.model_config_filter = [](const std::filesystem::path& files, ModelConfig config) -> Result<ModelConfig> {
      std::vector<Finding> findings;
      TRY(const auto batch, read_model_batching(files, findings));
      if (batch) config.batch = *batch;
      for (const auto& finding : findings) {
        if (finding.fate == Fate::kMapped) continue;
        log::warning("batching parameter", {{"file", finding.source},
                                            {"field", finding.field},
                                            {"fate", fate_name(finding.fate)},
                                            {"remark", finding.remark}});
      }
      return config;
    };
  }
  return options;
}

bool any_ready(const Server& server) {
  const auto models = server.models();
  return std::ranges::any_of(models, [](const VersionStatus& row) {
    return row.state == VersionState::kReady || row.state == VersionState::kAsleep;
  });
}

/// Why there is nothing to serve yet.
void tell_what_is_missing(const Server& server) {
  for (const auto& path : server.ignored())
    log::warning("model is missing", {{"path", path.path}, {"reason", path.reason}});
  for (const auto& row : server.models()) {
    if (row.state == VersionState::kReady) continue;
    log::warning("model does not serve", {{"model", row.model}, {"version", row.version}, {"reason", row.reason}});
  }
}

/// False: a signal came first.
bool wait_for_a_model(const Server& server, StopSignals& signals) {
  TimePoint tell_at = Clock::system().now();
  while (!any_ready(server)) {
    if (const TimePoint now = Clock::system().now(); now >= tell_at) {
      tell_what_is_missing(server);
      tell_at = now + kTellAgain;
    }
    if (signals.wait_for(kLook)) return false;
  }
  tell_what_is_missing(server);
  return true;
}

/// The lines that start scripts wait for.
void announce(const ModelServerFlags& flags) {
  if (flags.port != 0) print(stderr, fmt::format("Running gRPC ModelServer at 0.0.0.0:{} ...\n", flags.port));
  if (flags.rest_api_port != 0) {
    print(stderr, fmt::format("Exporting HTTP/REST API at:localhost:{} ...\n", flags.rest_api_port));
  }
}

void read_models_again(Server& server, const Translation& translation, std::string& last) {
  auto text = read_whole_file(translation.config_file, tfserving::kConfigTextBytesMax);
  if (text && *text == last) return;
  std::vector<Finding> findings;
  auto models = read_model_config_list(translation.config_file, findings);
  if (text) last = *std::move(text);
  Status status = models ? server.replace_models(*std::move(models), "model_config_file")
                         : tl::unexpected(std::move(models).error());
  if (!status)
    log::warning("model configuration",
                 {{"file", translation.config_file.string()}, {"reason", status.error().message}});
}

/// Until a signal; `every`: zero: the file is not read again.
void serve_until_stopped(Server& server, const Translation& translation, std::chrono::seconds every,
                         StopSignals& signals) {
  if (every <= every.zero() || translation.config_file.empty()) return signals.wait();
  std::string last = read_whole_file(translation.config_file, tfserving::kConfigTextBytesMax).value_or("");
  while (!signals.wait_for(every)) read_models_again(server, translation, last);
}

int serve(const ModelServerFlags& flags, const Translation& translation) {
  log::configure(translation.options.log_level, translation.options.log_format);
  StopSignals signals;
  ServerOptions options = options_of(translation);
  const auto files = add_tls(translation, options);
  if (!files) return fail_to_start(files.error());
  auto server = Server::make(std::move(options));
  if (!server) return fail_to_start(server.error());
  if (auto loaded = (*server)->load(); !loaded) return fail_to_start(loaded.error());
  if (!wait_for_a_model(**server, signals)) return 0;
  if (auto listening = (*server)->listen(); !listening) return fail_to_start(listening.error());
  announce(flags);
  serve_until_stopped(**server, translation, std::chrono::seconds(flags.model_config_file_poll_wait_seconds), signals);
  (*server)->drain(translation.options.drain_timeout);
  server->reset();
  log::info("stopped");
  return 0;
}

}  // namespace

int run_model_server(std::span<const std::string> args) {
  auto flags = parse_model_server_flags(args);
  if (!flags) {
    print(stdout, flags.error().message + "\n" + model_server_usage());
    return kFailed;
  }
  if (flags->help) return print(stdout, model_server_usage()), 0;
  if (flags->version) return print(stdout, "TensorFlow ModelServer: protean " PROTEAN_VERSION "\n"), 0;
  if (!flags->unknown.empty()) {
    print(stdout, fmt::format("unknown argument: {}\n{}", printable(flags->unknown.front()), model_server_usage()));
  }
  const auto translation = translate_model_server(*flags, process_environment());
  if (!translation) return fail_to_start(translation.error());
  print(stderr, format_findings(translation->findings, Fate::kApproximated));
  const int status = serve(*flags, *translation);
  log::flush_and_stop();
  return status;
}

}  // namespace protean
