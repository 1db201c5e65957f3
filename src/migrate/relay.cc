// SPDX-License-Identifier: Apache-2.0
// At most two attempts, one for each side. Nothing has been sent to the client before an answer is whole, so that the
// second attempt is always possible.
#include "migrate/relay.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "migrate/control.h"

namespace protean::migrate {
namespace {

constexpr std::array<std::string_view, 11> kHopByHop = {
    "connection", "keep-alive",        "proxy-connection", "proxy-authenticate", "te",
    "trailer",    "transfer-encoding", "upgrade",          "content-length",     "date",
    "expect"};

bool may_ask_other(const Error& error) noexcept {
  return error.code == Code::kUnavailable || error.code == Code::kInternal;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

struct Relay::Call {
  std::shared_ptr<Exchange> exchange;
  bool may_repeat = true;
  bool asked_both = false;
  TimePoint deadline{};
  CallName name;
  std::vector<std::string> failures;
  Code code = Code::kUnavailable;  // of the last failure
};

void Relay::on_exchange(std::shared_ptr<Exchange> exchange) {
  const RequestHead& head = exchange->head();
  if (head.dialect == Dialect::kAdmin) {
    return exchange->respond(answer_control(migration_, head, exchange->body()));
  }
  migration_.statistics().received();
  auto call = std::make_shared<Call>();
  call->exchange = std::move(exchange);
  call->may_repeat = migration_.dialect().may_repeat(head);
  call->name = migration_.dialect().name_call(head, call->exchange->body());
  const TimePoint now = Clock::system().now();
  call->deadline = std::min(head.deadline, now + migration_.options().timeout);
  if (!call->may_repeat) return ask(call, migration_.split().majority());
  Side side = migration_.split().next();
  if (!migration_.health(side).may_try(now) && migration_.health(other(side)).up()) {
    migration_.statistics().failed_over(side);
    side = other(side);
  }
  ask(call, side);
}

void Relay::ask(const CallPtr& call, Side side) {
  upstreams_[index_of(side)]->send(call->exchange, call->deadline, [this, call, side](Answer answer) {
    if (answer.error) return on_failure(call, side, *answer.error);
    on_answer(call, side, std::move(answer));
  });
}

void Relay::on_answer(const CallPtr& call, Side side, Answer answer) {
  call->exchange->respond(make_relayed(call->exchange->head().wire, answer));
  migration_.side_answered(side);
  migration_.statistics().answered(call->name, side, answer.took);
  if (side == Side::kTo) migration_.observe_answer(is_server_error(answer));
  if (call->may_repeat) mirror_.offer({call->exchange, call->name, side, std::move(answer)});
}

void Relay::on_failure(const CallPtr& call, Side side, const Error& error) {
  migration_.statistics().broke(call->name, side);
  if (error.code == Code::kUnavailable) migration_.side_failed(side, error, Clock::system().now());
  if (side == Side::kTo) migration_.observe_answer(true);
  call->code = error.code;
  call->failures.push_back(fmt::format("{} ({}): {}", side == Side::kFrom ? "old side" : "new side",
                                       side == Side::kFrom ? migration_.options().from : migration_.options().to,
                                       printable(error.message, 300)));
  if (!may_ask_other(error) || !call->may_repeat || std::exchange(call->asked_both, true)) return give_up(call);
  migration_.statistics().failed_over(side);
  ask(call, other(side));
}

void Relay::give_up(const CallPtr& call) {
  const bool late = call->code == Code::kDeadlineExceeded;
  // Who gives a call little time decides that it fails.
  const bool own_deadline = late && call->exchange->head().deadline <= call->deadline;
  if (!own_deadline) migration_.statistics().failed();
  const std::string message = fmt::format("no answer: {}", fmt::join(call->failures, "; "));
  Response response;
  if (call->exchange->head().wire == Wire::kGrpc) {
    response.grpc_code = late ? Code::kDeadlineExceeded : Code::kUnavailable;
    response.grpc_message = message;
  } else {
    response = make_response(late ? 504 : 502, "application/json", Slice::of(migration_.dialect().error_body(message)));
  }
  call->exchange->respond(std::move(response));
}

bool is_hop_by_hop(std::string_view name, const std::vector<std::string>& named) noexcept {
  const auto same = [name](std::string_view each) { return equals_ignore_case(name, each); };
  return std::any_of(kHopByHop.begin(), kHopByHop.end(), same) || std::any_of(named.begin(), named.end(), same);
}

std::vector<std::string> connection_options(std::string_view field) {
  std::vector<std::string> named;
  for (const auto& each : split(field, ',')) named.push_back(lower(each));
  return named;
}

Response make_relayed(Wire wire, const Answer& answer) {
  Response response;
  std::vector<std::string> named;
  for (const auto& [name, value] : answer.headers) {
    if (equals_ignore_case(name, "connection")) named = connection_options(value);
  }
  for (const auto& [name, value] : answer.headers) {
    if (is_hop_by_hop(name, named)) continue;
    response.headers.emplace_back(wire == Wire::kHttp1 ? name : lower(name), value);
  }
  if (!answer.body.empty()) response.body.push_back(answer.body);
  if (wire != Wire::kGrpc) {
    response.status = answer.status;
    return response;
  }
  for (const auto& [name, value] : answer.trailers) response.headers.emplace_back(lower(name), value);
  if (answer.grpc_status != 0) {
    const bool known = answer.grpc_status > 0 && answer.grpc_status <= 16;
    response.grpc_code = known ? static_cast<Code>(answer.grpc_status) : Code::kUnknown;
    response.grpc_message = answer.grpc_message;
    response.body.clear();
  }
  return response;
}

}  // namespace protean::migrate
