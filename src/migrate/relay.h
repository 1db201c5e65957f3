// SPDX-License-Identifier: Apache-2.0
// The way of a request: one side is chosen, asked, and its answer passed on as it is; if it breaks before its answer is
// whole, the other side is asked, so that no client notices. Afterwards the mirror gets the request.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/exchange.h"
#include "migrate/migration.h"
#include "migrate/mirror.h"

namespace protean::migrate {

/// The handler of both listeners: requests on one of Dialect::kAdmin go to control.h.  Thread-safe.
class Relay final : public RequestHandler {
 public:
  /// All outlive the relay.
  Relay(Migration& migration, Mirror::Upstreams upstreams, Mirror& mirror)
      : migration_(migration), upstreams_(upstreams), mirror_(mirror) {}

  [[nodiscard]] BodyMode body_mode(const RequestHead&) const override { return BodyMode::kWhole; }
  void on_exchange(std::shared_ptr<Exchange> exchange) override;
  /// Never called: every body is collected.
  std::shared_ptr<MessageStreamHandler> on_stream(std::shared_ptr<MessageStream>) override { return nullptr; }

 private:
  struct Call;
  using CallPtr = std::shared_ptr<Call>;

  void ask(const CallPtr& call, Side side);
  void on_answer(const CallPtr& call, Side side, Answer answer);
  void on_failure(const CallPtr& call, Side side, const Error& error);
  void give_up(const CallPtr& call);

  Migration& migration_;
  const Mirror::Upstreams upstreams_;
  Mirror& mirror_;
};

/// Fields that belong to one connection and are not passed on: those of RFC 9110 7.6.1 and those that `fields` name in
/// `connection`; lengths and dates, which the sender writes.
[[nodiscard]] bool is_hop_by_hop(std::string_view name, const std::vector<std::string>& named) noexcept;
/// What a `connection` field names.
[[nodiscard]] std::vector<std::string> connection_options(std::string_view field);

/// The answer as a response to a client on that wire.
[[nodiscard]] Response make_relayed(Wire wire, const Answer& answer);

}  // namespace protean::migrate
