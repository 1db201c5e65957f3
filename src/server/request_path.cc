// SPDX-License-Identifier: Apache-2.0
// The way of a request, to be read from top to bottom: on_exchange() -> serve() -> Scheduler -> finish().
#include "server/request_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/text.h"
#include "core/table.h"
#include "server/explain_job.h"
#include "server/infer_many.h"
#include "server/request_deadline.h"
#include "server/stream_job.h"
#include "serving/scheduling/batch.h"

namespace protean {
namespace {

/// No dialect claims the path, so the answer is in the wire's own terms.
Response no_such_path(const RequestHead& head) {
  Response response;
  if (head.wire == Wire::kGrpc) {
    response.grpc_code = Code::kUnimplemented;
    response.grpc_message = "unknown service or method " + printable(head.path);
    return response;
  }
  std::string body = R"({"error":)";
  append_json_string(body, "no such path: " + printable(head.path) + "; see /docs");
  return make_response(404, "application/json", Slice::of(body + "}"));
}

/// When a refusal that is only about load is worth trying again: whole seconds for HTTP (RFC 9110 10.2.3),
/// milliseconds for gRPC (proposal A6, which sends them as trailing metadata; ours are initial).
void add_retry_after(const Error& error, Wire wire, Response& response) {
  if (error.retry_after <= Duration::zero()) return;
  response.refused = true;
  if (wire == Wire::kGrpc) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(error.retry_after).count();
    response.headers.emplace_back("grpc-retry-pushback-ms", std::to_string(ms));
  } else {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(error.retry_after).count();
    response.headers.emplace_back("retry-after", std::to_string(seconds));
  }
}

}  // namespace

RequestPath::RequestPath(RequestPathParts parts, ProtocolSets protocols)
    : parts_(parts),
      protocols_(std::move(protocols)),
      unroutable_(parts_.registry.counter("protean_unroutable_requests",
                                          "Requests for a path or method that no protocol serves")),
      unresolved_(parts_.registry) {}

const Protocol* RequestPath::find_protocol(const RequestHead& head) const noexcept {
  for (const auto& protocol : protocols_[static_cast<std::size_t>(head.dialect)]) {
    if (protocol->claims(head)) return protocol.get();
  }
  return nullptr;
}

BodyMode RequestPath::body_mode(const RequestHead& head) const {
  const Protocol* protocol = find_protocol(head);
  return protocol == nullptr ? BodyMode::kWhole : protocol->body_mode(head);
}

void RequestPath::on_exchange(std::shared_ptr<Exchange> exchange) {
  serve(std::make_shared<ExchangeCall>(*this, std::move(exchange)));
}

void RequestPath::serve(std::shared_ptr<Call> call) {
  call->protocol = find_protocol(call->head());
  if (call->protocol == nullptr) {
    unroutable_->add();
    return call->reply(no_such_path(call->head()));
  }
  try {
    auto operation = call->protocol->decode(call->view());
    call->decoded_at = Clock::system().now();
    if (!operation) return finish(*call, tl::unexpected(std::move(operation).error()));
    call->operation = std::move(*operation);
    call->understood = true;
    serve_decoded(std::move(call));
  } catch (const std::bad_alloc&) {
    finish(*call, fail(Code::kResourceExhausted, "not enough memory for this request"));
  }
}

void RequestPath::serve_decoded(std::shared_ptr<Call> call) {
  if (auto* infer = inference_of(call->operation)) {
    const auto until = request_deadline(call->head());
    if (!until) return finish(*call, tl::unexpected(until.error()));
    infer->deadline = std::min(infer->deadline, *until);
    auto version = parts_.repository.acquire(infer->model, infer->version);
    if (version) return submit(std::move(call), *std::move(version), Scheduler::Inline::kAllowed);
    return parts_.repository.wait_for_load(
        infer->model, infer->version, infer->deadline,
        [this, call](Result<VersionHandle> loaded) { submit_loaded(call, std::move(loaded)); });
  }
  if (std::holds_alternative<InferManyRequest>(call->operation)) return serve_many(*this, call);
  if (auto* immediate = std::get_if<Immediate>(&call->operation)) return call->reply(std::move(immediate->response));
  if (std::holds_alternative<WatchReady>(call->operation)) return watch_ready(call);
  parts_.control.execute(call->operation, [this, call](Result<Outcome> outcome) { finish(*call, std::move(outcome)); });
}

void RequestPath::submit(std::shared_ptr<Call> call, Result<VersionHandle> version, Scheduler::Inline here) {
  InferRequest& request = *inference_of(call->operation);
  if (version && !request.function.empty()) version = find_function(*std::move(version), request.function);
  if (auto bound = bind(*call, request, version); !bound) return finish(*call, tl::unexpected(bound.error()));
  if (here == Scheduler::Inline::kAllowed) call->decoded_at = Clock::system().now();  // nothing was waited for
  call->request = &request;
  call->version = std::move(*version);
  if (auto prepared = prepare(*call); !prepared) return finish(*call, tl::unexpected(std::move(prepared).error()));
  call->version->cache && !call->job ? look_in_cache(std::move(call), here) : run(std::move(call), here);
}

Status RequestPath::bind(const Call& call, InferRequest& request, const Result<VersionHandle>& version) {
  const Signature* signature = version ? (*version)->signature.get() : nullptr;
  TRY_STATUS(call.protocol->bind(call.view(), request, signature));
  return version.map([](const auto&) {});
}

Status RequestPath::prepare(Call& call) {
  const LoadedVersion& version = *call.version;
  auto status = prepare_inputs(*inference_of(call.operation), *version.signature);
  if (status && std::holds_alternative<ExplainRequest>(call.operation)) status = prepare_explanation(call);
  if (status) prepare_stream(call);
  if (!status) status.error().message += fmt::format(" ({})", label_of(version));
  return status;
}

void RequestPath::run(std::shared_ptr<Call> call, Scheduler::Inline here) {
  parts_.scheduler.submit(std::move(call), here);
}

void RequestPath::look_in_cache(std::shared_ptr<Call> call, Scheduler::Inline here) {
  auto found = call->version->cache->find_or_join(*call->request, call);
  if (!found) return finish(*call, tl::unexpected(std::move(found).error()));
  if (auto* result = std::get_if<InferResult>(&*found)) return finish(*call, Outcome(std::move(*result)));
  if (auto* lead = std::get_if<CacheLead>(&*found)) {
    call->cache_lead = std::move(*lead);
    return run(std::move(call), here);
  }
  call->on_cancel([seat = std::get<CacheSeat>(std::move(*found)), waiter = std::weak_ptr(call)]() mutable {
    const auto left = waiter.lock();
    if (left && seat.leave()) left->answer(fail(Code::kCancelled, "the client left before the answer was there"));
  });
}

/// Its version had to be loaded; this is the repository's thread.
void RequestPath::submit_loaded(const std::shared_ptr<Call>& call, Result<VersionHandle> version) {
  try {
    submit(call, std::move(version), Scheduler::Inline::kRefused);
  } catch (const std::bad_alloc&) {
    finish(*call, fail(Code::kResourceExhausted, "not enough memory for this request"));
  }
}

Response RequestPath::encode_error(const Call& call, const Error& error) {
  return call.understood ? call.protocol->encode_failure(call.view(), call.operation, error)
                         : call.protocol->encode_error(call.view(), error);
}

void RequestPath::finish(Call& call, Result<Outcome> outcome) {
  call.outcome_at = Clock::system().now();
  if (call.part_bytes > 0) return finish_parts(call, outcome ? nullptr : &outcome.error());
  const RequestView view = call.view();
  const auto* result = outcome ? std::get_if<InferResult>(&*outcome) : nullptr;
  const CacheUse cache_use = result == nullptr ? CacheUse::kNone : result->cache_use;
  Result<Response> encoded = std::move(outcome).and_then(
      [&](Outcome&& value) { return call.protocol->encode(view, call.operation, std::move(value)); });
  Response response = encoded ? std::move(*encoded) : encode_error(call, encoded.error());
  if (cache_use != CacheUse::kNone) response.headers.emplace_back("x-protean-cache", cache_use_name(cache_use));
  if (!encoded) add_retry_after(encoded.error(), call.head().wire, response);
  if (!encoded && !call.version) unresolved_.add(encoded.error().code);
  record_call(call, encoded ? nullptr : &encoded.error(), parts_.access_log, response);
  call.reply(std::move(response));
}

void RequestPath::finish_parts(Call& call, const Error* late_error) {
  std::optional<Response> last;
  if (late_error != nullptr) last = call.protocol->encode_late_error(call.view(), *late_error);
  Response recorded = last ? *last : Response();
  record_call(call, late_error, parts_.access_log, recorded);
  call.end_parts(std::move(last));
}

std::shared_ptr<MessageStreamHandler> RequestPath::on_stream(std::shared_ptr<MessageStream> stream) {
  auto calls = std::make_shared<StreamCalls>(*this, std::move(stream));
  bool draining = false;
  {
    const std::lock_guard lock(mutex_);
    if (streams_.size() >= purge_at_) {
      std::erase_if(streams_, [](const auto& known) { return known.expired(); });
      purge_at_ = std::max<std::size_t>(64, 2 * streams_.size());
    }
    streams_.push_back(calls);
    draining = draining_;
  }
  draining ? calls->drain() : calls->stream().next();
  return calls;
}

void RequestPath::watch_ready(const std::shared_ptr<Call>& call) {
  const auto stream_call = std::dynamic_pointer_cast<StreamCall>(call);
  if (!stream_call) return finish(*call, Outcome(parts_.readiness.ready()));
  stream_call->calls()->keep_open();
  parts_.readiness.watch([call, stream = stream_call->calls()->stream_handle()](bool ready) {
    if (stream->cancelled()) return false;
    auto message = call->protocol->encode(call->view(), call->operation, Outcome(ready));
    if (message) stream->send(std::move(*message));
    return message.has_value();
  });
}

void RequestPath::drain() {
  std::vector<std::weak_ptr<StreamCalls>> streams;
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    streams = streams_;
  }
  for (const auto& known : streams) {
    if (const auto stream = known.lock()) stream->drain();
  }
}

}  // namespace protean
