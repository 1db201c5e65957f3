// SPDX-License-Identifier: Apache-2.0
// What `protean migrate` is told.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/options.h"
#include "migrate/migration.h"

namespace protean {

/// Where one kind of request goes on one side.  `authority`: `HOST:PORT` as written.
struct UpstreamAddress {
  std::string host;
  std::uint16_t port = 0;
  std::string authority;
};

/// At least one of them.
struct SideUrls {
  std::optional<UpstreamAddress> http;
  std::optional<UpstreamAddress> grpc;
  /// As they were given, for people.
  std::string text;
};

/// kSetWeight: tells a running one, at `control`.
enum class MigrateAction : unsigned char { kHelp, kRun, kSetWeight };

struct MigrateOptions {
  MigrateAction action = MigrateAction::kRun;
  SideUrls from;
  SideUrls to;
  std::string dialect;
  std::vector<ListenAddress> listen;
  std::optional<ListenAddress> control;
  std::string control_host;        // kSetWeight: HOST:PORT
  std::filesystem::path tls_cert;  // both or neither: clients are spoken to over TLS
  std::filesystem::path tls_key;
  migrate::MigrationOptions migration;
  std::filesystem::path report;
  std::filesystem::path json;
  std::uint64_t threads = 2;
  std::uint64_t connections = 64;
  std::uint64_t memory_mib_max = 1024;
  Duration drain_timeout = std::chrono::seconds(30);
  bool fail_on_difference = false;
};

/// `args`: what follows `protean migrate`.  Errors: kInvalidArgument.
[[nodiscard]] Result<MigrateOptions> parse_migrate_options(std::span<const std::string> args);
[[nodiscard]] std::string migrate_help();

/// `http://HOST:PORT` or `grpc://HOST:PORT`.  Errors: kInvalidArgument.
[[nodiscard]] Status add_url(std::string_view flag, std::string_view url, SideUrls& side);

}  // namespace protean
