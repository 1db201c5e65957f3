// SPDX-License-Identifier: Apache-2.0
// Answers given on the connection's own thread go straight into its output; others travel through its mailbox.
#include "transport/http1/http1_exchange.h"

#include <utility>

#include "transport/content_coding.h"
#include "transport/error_response.h"

namespace protean {

using Kind = AnswerSink::Answer::Kind;

Http1Exchange::Http1Exchange(std::shared_ptr<Http1Link> link, Request request, Reservation memory)
    : link_(std::move(link)), request_(std::move(request)), memory_(std::move(memory)) {}

Http1Exchange::Http1Exchange(std::shared_ptr<Http1Link> link, Request request)
    : link_(std::move(link)), request_(std::move(request)) {}

Http1Exchange::~Http1Exchange() {
  if (listener_ != 0) link_->left.forget(listener_);
  if (move_on(State::kOpen, State::kDone)) {
    send(Kind::kWhole, error_response(500, "the server dropped the request without an answer"));
  } else if (move_on(State::kStreaming, State::kDone)) {
    send(Kind::kAbort, {});
  }
}

void Http1Exchange::on_cancel(std::function<void()> leave) {
  if (listener_ != 0) link_->left.forget(listener_);
  listener_ = link_->left.listen(std::move(leave));
}

bool Http1Exchange::move_on(State from, State to) noexcept { return state_.compare_exchange_strong(from, to); }

void Http1Exchange::respond(Response response) {
  if (!move_on(State::kOpen, State::kDone)) return;
  if (!link_->keeps_coding) encode_response(request_.head, response);
  send(Kind::kWhole, std::move(response));
}

void Http1Exchange::start(Response head) {
  if (move_on(State::kOpen, State::kStreaming)) send(Kind::kStart, std::move(head));
}

void Http1Exchange::write(Slice piece, std::shared_ptr<const void> until_sent) {
  if (state_.load() != State::kStreaming || piece.empty()) return;
  Response carrier;
  carrier.body.push_back(std::move(piece));
  carrier.until_sent = std::move(until_sent);
  send(Kind::kPiece, std::move(carrier));
}

void Http1Exchange::finish() {
  if (move_on(State::kStreaming, State::kDone)) send(Kind::kFinish, {});
}

void Http1Exchange::send(Kind kind, Response response) {
  if (link_->closed.load(std::memory_order_relaxed)) return;
  const SessionHost& host = *link_->host;
  AnswerSink::Answer answer{kind, request_.sequence, std::move(response), {}};
  if (answer.response.write_time != nullptr) answer.at = link_->clock->now();
  if (host.in_loop()) {
    if (link_->sink != nullptr) link_->sink->on_answer(std::move(answer));
    return;
  }
  link_->host->post([link = link_, answer = std::move(answer)]() mutable {
    if (link->sink != nullptr) link->sink->on_answer(std::move(answer));
  });
}

}  // namespace protean
