// SPDX-License-Identifier: Apache-2.0
// The way of a request through the house, the same for every transport and dialect.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "base/metrics.h"
#include "core/exchange.h"
#include "core/protocol.h"
#include "monitoring/access_log.h"
#include "server/call.h"
#include "server/control.h"
#include "server/readiness.h"
#include "server/record.h"
#include "serving/scheduling/scheduler.h"
#include "serving/versions/repository.h"

namespace protean {

/// What the path leads through; all outlive it.
struct RequestPathParts {
  Repository& repository;
  Scheduler& scheduler;
  Control& control;
  Readiness& readiness;
  const AccessLog& access_log;
  metrics::Registry& registry;
};

/// For each Dialect, the protocols that its listeners speak, in the order they are asked whether a path is theirs.
using ProtocolSets = std::array<std::vector<std::shared_ptr<const Protocol>>, kDialectCount>;

/// Thread-safe.
class RequestPath final : public RequestHandler {
 public:
  RequestPath(RequestPathParts parts, ProtocolSets protocols);

  [[nodiscard]] BodyMode body_mode(const RequestHead& head) const override;
  void on_exchange(std::shared_ptr<Exchange> exchange) override;
  std::shared_ptr<MessageStreamHandler> on_stream(std::shared_ptr<MessageStream> stream) override;

  /// Decode, route, schedule; finish() follows on whatever thread has the outcome.
  void serve(std::shared_ptr<Call> call);
  /// Hands a call whose version is known to the scheduler.
  void run(std::shared_ptr<Call> call, Scheduler::Inline here = Scheduler::Inline::kAllowed);
  /// Encode, record, reply.
  void finish(Call& call, Result<Outcome> outcome);
  /// The same for an answer of which parts have been sent.
  void finish_parts(Call& call, const Error* late_error);
  /// Lets the dialect complete one of the call's inferences; the error of a version or function that there is not.
  [[nodiscard]] static Status bind(const Call& call, InferRequest& request, const Result<VersionHandle>& version);
  [[nodiscard]] const RequestPathParts& parts() const noexcept { return parts_; }
  /// Ends idle streams; busy ones end after the message in work.
  void drain();

 private:
  [[nodiscard]] const Protocol* find_protocol(const RequestHead& head) const noexcept;
  void serve_decoded(std::shared_ptr<Call> call);
  void submit(std::shared_ptr<Call> call, Result<VersionHandle> version, Scheduler::Inline here);
  /// The inputs in the form of the model's, once the version says what that is.
  [[nodiscard]] static Status prepare(Call& call);
  [[nodiscard]] static Response encode_error(const Call& call, const Error& error);
  void submit_loaded(const std::shared_ptr<Call>& call, Result<VersionHandle> version);
  /// An answer from the version's cache, a place behind an equal request that runs, or a run.
  void look_in_cache(std::shared_ptr<Call> call, Scheduler::Inline here);
  void watch_ready(const std::shared_ptr<Call>& call);

  const RequestPathParts parts_;
  const ProtocolSets protocols_;
  const std::shared_ptr<metrics::Counter> unroutable_;
  UnresolvedRequests unresolved_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<StreamCalls>> streams_;  // guarded by mutex_
  std::size_t purge_at_ = 64;                        // guarded by mutex_
  bool draining_ = false;                            // guarded by mutex_
};

}  // namespace protean
