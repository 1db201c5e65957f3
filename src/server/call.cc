// SPDX-License-Identifier: Apache-2.0
// How calls hand their results on, and the turn-taking of streamed messages.
#include "server/call.h"

#include "server/record.h"
#include "server/request_path.h"

namespace protean {

void Call::done(Result<InferResult> result, RunTimes run_times) {
  times = run_times;
  if (cache_lead) {
    cache_lead->complete(result);
    cache_lead.reset();
  }
  answer(std::move(result));
}

void Call::lead(CacheLead lead) {
  cache_lead = std::move(lead);
  path_.run(shared_from_this(), Scheduler::Inline::kRefused);  // this thread has its own answer to give
}

void Call::answer(Result<InferResult> result) {
  if (result && explanation) {
    explanation->id = result->id;
    return path_.finish(*this, Outcome(*std::move(explanation)));
  }
  if (result && version->recent) version->recent->offer(*request, decoded_at);
  path_.finish(*this, std::move(result).map([](InferResult&& value) { return Outcome(std::move(value)); }));
}

void Call::send_part(Response part) {
  const bool first = part_bytes == 0;
  if (first) echo_request_id(head(), part);
  part_bytes += part.body_size();
  pass_part(std::move(part), first);
}

void ExchangeCall::pass_part(Response part, bool first) {
  first ? exchange_->start(std::move(part)) : write(std::move(part));
}

void ExchangeCall::write(Response piece) {
  for (std::size_t i = 0; i < piece.body.size(); ++i) {
    const bool last = i + 1 == piece.body.size();
    exchange_->write(std::move(piece.body[i]), last ? std::move(piece.until_sent) : nullptr);
  }
}

void ExchangeCall::end_parts(std::optional<Response> late_error) {
  if (late_error) write(*std::move(late_error));
  exchange_->finish();
}

void StreamCalls::on_message(Slice message) {
  busy_.store(true);
  path_.serve(std::make_shared<StreamCall>(path_, shared_from_this(), std::move(message), Clock::system().now()));
}

void StreamCalls::on_half_close() { stream_->finish(std::nullopt, {}); }

void StreamCalls::reply(Response response) {
  if (response.grpc_code) return stream_->finish(response.grpc_code, std::move(response.grpc_message));
  stream_->send(std::move(response));
  answered();
}

void StreamCalls::answered() {
  busy_.store(false);
  if (draining_.load()) return finish_draining();
  stream_->next();
}

void StreamCalls::drain() {
  draining_.store(true);
  if (!busy_.load()) finish_draining();
}

void StreamCalls::finish_draining() { stream_->finish(Code::kUnavailable, "the server is shutting down"); }

}  // namespace protean
