// SPDX-License-Identifier: Apache-2.0
// Stage times into the version's histograms, and the access log's record.
#include "server/record.h"

#include <algorithm>

#include "monitoring/trace_context.h"

namespace protean {
namespace {

using StageTimes = std::array<std::optional<Duration>, kStageCount>;

StageTimes stage_times(const Call& call, TimePoint now) {
  StageTimes times;
  const auto set = [&](Stage stage, Duration duration) {
    times[static_cast<std::size_t>(stage)] = std::max(duration, Duration::zero());
  };
  set(Stage::kRead, call.complete_at() - call.head().received_at);
  set(Stage::kDecode, call.decoded_at - call.complete_at());
  if (call.version) {
    set(Stage::kQueue, call.times.queue);
    set(Stage::kRun, call.times.run);
  }
  set(Stage::kEncode, now - call.outcome_at);
  return times;
}

void record_metrics(const Call& call, const Error* error, const StageTimes& times, Response& response) {
  ModelMetrics& metrics = *call.version->metrics;
  metrics.requests->add();
  metrics.request_bytes->add(call.body().size());
  metrics.response_bytes->add(call.part_bytes + response.body_size());
  for (std::size_t i = 0; i < kStageCount; ++i) {
    if (times[i]) metrics.stages[i]->observe(static_cast<std::uint64_t>(times[i]->count()));
  }
  if (error != nullptr) metrics.failures(error->code).add();
  response.write_time = metrics.stages[static_cast<std::size_t>(Stage::kWrite)];
}

void write_line(const Call& call, const AccessLog& log, const Response& response, const AccessRecord& base) {
  const RequestHead& head = call.head();
  AccessRecord record = base;
  const std::string id = request_id(head.headers);
  record.request_id = id;
  record.method = head.method;
  record.path = head.path;
  record.peer = head.peer;
  if (const auto* infer = inference_of(call.operation)) {
    record.model = infer->model;
    record.version = call.version ? std::string_view(call.version->version_text) : infer->version;
  }
  record.request_bytes = call.body().size();
  record.response_bytes = call.part_bytes + response.body_size();
  if (const auto trace = head.headers.find("traceparent")) record.trace = parse_traceparent(*trace);
  log.record(record);
}

}  // namespace

UnresolvedRequests::UnresolvedRequests(metrics::Registry& registry) {
  for (std::size_t i = 1; i < kCodeCount; ++i) {
    by_code_[i] = registry.counter("protean_unresolved_requests",
                                   "Requests that failed before a model version was known, by status code",
                                   {{"code", std::string(code_name(static_cast<Code>(i)))}});
  }
}

void record_call(const Call& call, const Error* error, const AccessLog& log, Response& response) {
  const TimePoint now = Clock::system().now();
  const StageTimes times = stage_times(call, now);
  const Duration duration = now - call.head().received_at;
  if (call.version) {
    record_metrics(call, error, times, response);
    call.version->metrics->duration->observe(static_cast<std::uint64_t>(std::max<Duration::rep>(duration.count(), 0)));
  }
  const auto code = error != nullptr ? std::optional(error->code) : response.grpc_code;
  if (log.wants(response.status, code)) {
    AccessRecord record;
    record.status = response.status;
    record.code = code;
    record.duration = duration;
    record.stages = times;
    write_line(call, log, response, record);
  }
  echo_request_id(call.head(), response);
}

void echo_request_id(const RequestHead& head, Response& response) {
  if (const auto id = head.headers.find("x-request-id"); id && is_usable_request_id(*id)) {
    response.headers.emplace_back("x-request-id", *id);
  }
}

}  // namespace protean
