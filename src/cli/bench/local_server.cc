// SPDX-License-Identifier: Apache-2.0
// The same server that `protean serve` runs; only its options come from here.
#include "cli/bench/local_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include "base/cpu_quota.h"
#include "base/text.h"
#include "configuration/model_config_file.h"

namespace protean {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr milliseconds kDrain{1000};

ServerOptions server_options(const fs::path& folder, const LocalServerOptions& options) {
  ServerOptions server;
  server.repository.folder = folder;
  server.repository.watch = false;
  server.repository.settle = milliseconds(0);
  ListenerOptions listener;
  listener.host = "127.0.0.1";
  listener.port = 0;
  server.listeners.push_back(std::move(listener));
  const std::size_t cores = usable_cores();
  server.io_threads = cores;
  server.scheduler.threads = cores;
  // As `protean serve` does by default.
  server.repository.run_threads = static_cast<std::uint32_t>(cores);
  server.backends.pool_threads = static_cast<int>(cores);
  server.access_log = AccessLogPolicy::kOff;
  server.model_control = false;
  server.model_config_override = options.config;
  return server;
}

/// `.../name/` and `.../name` are the same model.
fs::path without_slash(const fs::path& path) {
  const fs::path normal = fs::absolute(path).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

}  // namespace

Status LocalServer::copy_model(const fs::path& given) {
  const fs::path model = without_slash(given);
  std::error_code error;
  const auto status = fs::status(model, error);
  if (!fs::is_regular_file(status) && !fs::is_directory(status)) {
    return fail(Code::kNotFound, fmt::format("{}: no such file or folder", printable(given.string(), 500)));
  }
  model_ = fs::is_directory(status) ? model.filename().string() : model.stem().string();
  std::string pattern = (fs::temp_directory_path(error) / "protean-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    return fail(Code::kUnavailable, "no temporary folder can be made: " + pattern);
  folder_ = pattern;
  const fs::path target = folder_ / model.filename();
  const auto how = fs::copy_options::recursive;
  fs::copy(model, target, how | fs::copy_options::create_hard_links, error);
  if (error) {
    // Another file system: links are not possible there.
    error.clear();
    fs::remove_all(target, error);
    fs::copy(model, target, how, error);
  }
  // The configuration of a single file stands beside it.
  const fs::path config = model_config_path(model);
  std::error_code absent;
  if (!error && fs::is_regular_file(status) && fs::is_regular_file(config, absent)) {
    fs::copy_file(config, folder_ / config.filename(), error);
  }
  if (error) return fail(Code::kUnavailable, fmt::format("{}: {}", printable(given.string(), 500), error.message()));
  return {};
}

Status LocalServer::check_ready() const {
  std::string reason;
  for (const auto& version : server_->models()) {
    if (version.state == VersionState::kReady || version.state == VersionState::kAsleep) return {};
    if (!version.reason.empty()) reason = version.reason;
  }
  for (const auto& ignored : server_->ignored()) reason = ignored.reason;
  if (reason.empty()) reason = "no model found, expected NAME.onnx, or a folder with model.onnx or VERSION/model.onnx";
  return fail(Code::kInvalidArgument,
              fmt::format("model {} cannot be served: {}", printable(model_), printable(reason, 1000)));
}

Result<std::unique_ptr<LocalServer>> LocalServer::start(const LocalServerOptions& options) {
  std::unique_ptr<LocalServer> local(new LocalServer());
  TRY_STATUS(local->copy_model(options.model));
  TRY(local->server_, Server::make(server_options(local->folder_, options)));
  TRY_STATUS(local->server_->start());
  TRY_STATUS(local->check_ready());
  return local;
}

LocalServer::~LocalServer() {
  if (server_) server_->drain(kDrain);
  server_.reset();
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

}  // namespace protean
