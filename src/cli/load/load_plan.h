// SPDX-License-Identifier: Apache-2.0
// What the load generator is to do and what came of it.
//
// Closed loop: each stream of each connection sends its next request when it has its answer, so a slow server gets
// fewer. Open loop: requests are due by a schedule that does not look at the server; one that finds every stream busy
// waits in a bounded backlog, and its latency counts from when it was due, so that waiting is never left out.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/latency_histogram.h"
#include "cli/load/arrivals.h"
#include "transport/client/client_connection.h"

namespace protean {

/// `rows`: those its answer stands for.
struct LoadRequest {
  std::shared_ptr<const ClientRequest> request;
  std::uint64_t rows = 1;
};

/// `rate`: requests a second of an open loop; 0: closed loop.  `timeout`: from the intended start.
struct LoadPlan {
  ClientTarget target;
  bool http2 = false;
  std::vector<LoadRequest> requests;  // sent in turn
  std::size_t threads = 1;
  std::size_t connections = 1;
  std::size_t streams = 1;  // a connection; HTTP/1.1 has one
  double rate = 0;
  ArrivalKind arrivals = ArrivalKind::kConstant;
  Duration warm_up{};
  Duration duration = std::chrono::seconds(10);
  Duration timeout = std::chrono::seconds(10);
  Duration deadline{};  // what the requests tell the server they can wait; zero: nothing
  std::size_t backlog_max = 10'000;
  std::uint64_t seed = 1;
};

/// Requests belong to the measurement when their intended start does; `finished` alone counts what was answered
/// within it, which is what throughput is made of.
struct LoadResult {
  LatencyHistogram latency;          // of those answered well
  LatencyHistogram failure_latency;  // of the others
  std::uint64_t ok = 0;
  std::uint64_t in_time = 0;  // of those: within the plan's deadline, or all when it has none
  std::uint64_t failed = 0;
  std::uint64_t dropped = 0;  // due, but the backlog was full, or never sent before the end
  std::map<std::string, std::uint64_t> failures;
  std::string first_failure;
  std::uint64_t finished = 0;
  std::uint64_t finished_rows = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t reconnects = 0;
  Duration measured{};
  Duration generator_cpu{};  // of all its threads, warm-up included

  void merge(const LoadResult& other);
  [[nodiscard]] double requests_per_second() const noexcept;
  [[nodiscard]] double rows_per_second() const noexcept;
  /// Of failed and dropped requests among all, 0 to 1.
  [[nodiscard]] double failure_share() const noexcept;
};

/// `HTTP 503`, `gRPC 8 RESOURCE_EXHAUSTED`, `timeout`, `connection`, `malformed answer`; empty: answered well.
[[nodiscard]] std::string failure_label(const ClientReply& reply, bool grpc);
/// What the server or the transport said about a failure, for people.
[[nodiscard]] std::string failure_text(const ClientReply& reply, bool grpc);

/// Blocks for warm-up, duration and at most one time-out, or until `stop`; what was measured until then is returned.
/// Requires at least one request and one connection.
[[nodiscard]] LoadResult run_load(const LoadPlan& plan, const std::stop_token& stop);

/// Sends one request and waits for the answer, its body kept.  Errors: those of ClientReply.
[[nodiscard]] Result<ClientReply> send_once(const ClientTarget& target, bool http2,
                                            std::shared_ptr<const ClientRequest> request, Duration timeout);

}  // namespace protean
