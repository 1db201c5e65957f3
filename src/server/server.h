// SPDX-License-Identifier: Apache-2.0
// The whole server as one object: made from options, started, drained, destroyed.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/model_config.h"
#include "core/operation.h"
#include "monitoring/access_log.h"
#include "server/builtin_backends.h"
#include "server/builtin_protocols.h"
#include "server/open_state.h"
#include "serving/scheduling/scheduler.h"
#include "serving/versions/repository.h"
#include "transport/limits.h"
#include "transport/server.h"

namespace protean {

struct ServerOptions {
  RepositoryOptions repository;
  SchedulerOptions scheduler;
  BackendOptions backends;
  ProtocolOptions protocols;
  std::vector<ListenerOptions> listeners;
  Limits limits;
  std::size_t io_threads = 1;
  std::size_t request_memory_bytes_max = std::size_t{1} << 30;
  AccessLogPolicy access_log = AccessLogPolicy::kErrors;
  bool model_control = true;
  StateOptions state;
  /// For models whose protean.toml does not say.
  bool on_demand = false;
  /// For every model, whatever its own file says: what `protean tune` tries out.
  std::optional<ModelConfig> model_config_override;
  /// Asked for each model with its folder or file and what its own file says; may be empty.
  std::function<Result<ModelConfig>(const std::filesystem::path& files, ModelConfig config)> model_config_filter;
};

class Server {
 public:
  /// Opens nothing yet.  Call before other threads exist.
  /// Errors: kInvalidArgument for options that contradict themselves.
  static Result<std::unique_ptr<Server>> make(ServerOptions options);
  ~Server();

  /// Listens (live, not ready), loads every model, then turns ready.
  /// Errors: an address that cannot be bound, a model folder that cannot be read.
  Status start();
  /// The two halves of start() for those who open their ports only when models are there.
  Status listen();
  Status load();
  /// As Repository::replace_models(); returns when it is done.
  Status replace_models(std::vector<ModelEntry> models, std::string actor);
  /// Not ready any more; takes no new connection, lets requests in flight finish until `timeout`, then stops.
  void drain(std::chrono::milliseconds timeout);

  /// Those of one dialect: `http://127.0.0.1:8080`, with the port the system chose where 0 was asked for.
  /// Requires start().
  [[nodiscard]] std::vector<std::string> urls(Dialect dialect = Dialect::kDefault) const;
  [[nodiscard]] std::vector<VersionStatus> models() const;
  [[nodiscard]] std::vector<IgnoredPath> ignored() const;
  /// One line a backend.
  [[nodiscard]] std::vector<std::string> backends() const;

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace protean
