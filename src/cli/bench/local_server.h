// SPDX-License-Identifier: Apache-2.0
// A server of one model inside this process, on a free loopback port, for as long as a measurement takes.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "core/model_config.h"
#include "server/server.h"

namespace protean {

/// `config`: instead of what the model's own file says.
struct LocalServerOptions {
  std::filesystem::path model;  // a file, or a folder with files or versions
  std::optional<ModelConfig> config;
};

class LocalServer {
 public:
  /// Copies the model (or links it, where that is possible) into a folder of its own and serves that.
  /// Errors: kNotFound, kInvalidArgument: what is there is no model, or it does not load, with the reason.
  [[nodiscard]] static Result<std::unique_ptr<LocalServer>> start(const LocalServerOptions& options);
  ~LocalServer();
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  [[nodiscard]] const std::string& model() const noexcept { return model_; }
  [[nodiscard]] std::string url() const { return server_->urls().front(); }
  [[nodiscard]] std::vector<VersionStatus> statuses() const { return server_->models(); }

 private:
  LocalServer() = default;
  Status copy_model(const std::filesystem::path& model);
  Status check_ready() const;

  std::filesystem::path folder_;  // removed at the end
  std::string model_;
  std::unique_ptr<Server> server_;
};

}  // namespace protean
