// SPDX-License-Identifier: Apache-2.0
// Splits a plan among threads and adds their counts up.
#include "cli/load/load_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "cli/load/load_worker.h"
#include "protocols/open_inference/client_request.h"

namespace protean {
namespace {

constexpr std::size_t kBodyKept = std::size_t{16} << 20;
/// Threads are up before the first request is due.
constexpr Duration kHeadStart = std::chrono::milliseconds(5);

}  // namespace

void LoadResult::merge(const LoadResult& other) {
  latency.merge(other.latency);
  failure_latency.merge(other.failure_latency);
  ok += other.ok;
  in_time += other.in_time;
  failed += other.failed;
  dropped += other.dropped;
  for (const auto& [label, count] : other.failures) failures[label] += count;
  if (first_failure.empty()) first_failure = other.first_failure;
  finished += other.finished;
  finished_rows += other.finished_rows;
  bytes_sent += other.bytes_sent;
  bytes_received += other.bytes_received;
  reconnects += other.reconnects;
  measured = std::max(measured, other.measured);
  generator_cpu += other.generator_cpu;
}

double LoadResult::requests_per_second() const noexcept {
  const double seconds = std::chrono::duration<double>(measured).count();
  return seconds <= 0 ? 0 : static_cast<double>(finished) / seconds;
}

double LoadResult::rows_per_second() const noexcept {
  const double seconds = std::chrono::duration<double>(measured).count();
  return seconds <= 0 ? 0 : static_cast<double>(finished_rows) / seconds;
}

double LoadResult::failure_share() const noexcept {
  const std::uint64_t bad = failed + dropped;
  return bad == 0 ? 0 : static_cast<double>(bad) / static_cast<double>(bad + ok);
}

std::string failure_label(const ClientReply& reply, bool grpc) {
  if (reply.error) {
    if (reply.error->code == Code::kDeadlineExceeded) return "timeout";
    return reply.error->code == Code::kInternal ? "malformed answer" : "connection";
  }
  if (reply.status < 200 || reply.status > 299) return fmt::format("HTTP {}", reply.status);
  if (!grpc || reply.grpc_status == 0) return {};
  if (reply.grpc_status < 0) return "gRPC without a status";
  return reply.grpc_status <= 16
             ? fmt::format("gRPC {} {}", reply.grpc_status, code_name(static_cast<Code>(reply.grpc_status)))
             : fmt::format("gRPC {}", reply.grpc_status);
}

std::string failure_text(const ClientReply& reply, bool grpc) {
  if (reply.error) return reply.error->message;
  const std::string said = grpc && reply.grpc_status >= 0 ? reply.grpc_message : read_json_error(reply.body);
  const std::string label = failure_label(reply, grpc);
  return said.empty() ? label : fmt::format("{}: {}", label, said);
}

LoadResult run_load(const LoadPlan& plan, const std::stop_token& stop) {
  const std::size_t threads = std::clamp<std::size_t>(plan.threads, 1, plan.connections);
  const TimePoint begin = Clock::system().now() + kHeadStart;
  std::vector<LoadResult> results(threads);
  {
    std::vector<std::jthread> running;
    for (std::size_t i = 0; i < threads; ++i) {
      running.emplace_back([&, i] { results[i] = LoadWorker(plan, {i, threads}, stop).run(begin); });
    }
  }
  LoadResult all = std::move(results[0]);
  for (std::size_t i = 1; i < threads; ++i) all.merge(results[i]);
  return all;
}

Result<ClientReply> send_once(const ClientTarget& target, bool http2, std::shared_ptr<const ClientRequest> request,
                              Duration timeout) {
  ClientLoop loop;
  const TimePoint deadline = Clock::system().now() + timeout;
  const auto connection = http2 ? make_http2_client(loop, 1) : make_http1_client(loop);
  std::optional<ClientReply> reply;
  const auto finish = [&](ClientReply got) {
    reply = std::move(got);
    loop.stop();
  };
  connection->connect(target, deadline, [&](const Status& connected) {
    if (connected) return connection->send(std::move(request), {deadline, kBodyKept}, finish);
    ClientReply failure;
    failure.error = connected.error();
    finish(std::move(failure));
  });
  loop.run_until(deadline);
  if (!reply) connection->expire(deadline);
  connection->close();
  loop.run_until(Clock::system().now() + std::chrono::milliseconds(1));
  if (!reply) return fail(Code::kDeadlineExceeded, "no answer in time");
  if (reply->error) return tl::unexpected(*std::move(reply->error));
  return *std::move(reply);
}

}  // namespace protean
