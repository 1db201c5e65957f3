// SPDX-License-Identifier: Apache-2.0
// Whom the load is for: a model at a running server, or at one started for this run.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "cli/bench/local_server.h"
#include "core/operation.h"
#include "transport/client/client_connection.h"

namespace protean {

/// `host:port` of an `http://` URL.  Errors: kInvalidArgument.
struct BenchUrl {
  std::string host;
  std::uint16_t port = 0;
  [[nodiscard]] std::string authority() const;
};
[[nodiscard]] Result<BenchUrl> parse_bench_url(std::string_view url);

struct BenchTarget {
  std::unique_ptr<LocalServer> local;  // null: the server was there before
  ClientTarget address;
  std::string authority;
  std::string model;
  std::string version;
  std::shared_ptr<const Signature> signature;
};

/// Asks the server at `url` about the model.
/// Errors: kUnavailable (nobody there), else what the server said.
[[nodiscard]] Result<BenchTarget> find_remote_model(const std::string& url, const std::string& model,
                                                    const std::string& version, Duration timeout);

/// Starts a server for the model.  Errors: those of LocalServer::start().
[[nodiscard]] Result<BenchTarget> start_local_model(const LocalServerOptions& options, const std::string& version,
                                                    Duration timeout);

}  // namespace protean
