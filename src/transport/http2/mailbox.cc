// SPDX-License-Identifier: Apache-2.0
// Hand-over between threads for sessions: see the header.
#include "transport/http2/mailbox.h"

#include <utility>

namespace protean::http2 {

void StreamMailbox::send(Command command) {
  CommandSink* direct = nullptr;
  bool deliver_now = false;
  state_.with([&](State& state) {
    if (state.sink == nullptr) return;
    const bool in_loop = state.host->in_loop();
    if (in_loop && state.waiting.empty() && !state.delivering) {
      direct = state.sink;
      return;
    }
    state.waiting.push_back(std::move(command));
    if (in_loop) {
      deliver_now = !state.delivering;
    } else if (!std::exchange(state.posted, true)) {
      // Under the lock, so that close() cannot take the host away meanwhile; post() only queues.
      state.host->post([self = shared_from_this()] { self->deliver(); });
    }
  });
  if (direct != nullptr) {
    direct->execute(std::move(command));
    direct->executed();
  } else if (deliver_now) {
    deliver();
  }
}

void StreamMailbox::deliver() {
  CommandSink* executed = nullptr;
  while (true) {
    std::vector<Command> commands;
    CommandSink* sink = nullptr;
    state_.with([&](State& state) {
      commands.swap(state.waiting);
      state.posted = false;
      state.delivering = !commands.empty();  // what is sent from inside execute() waits for its turn
      sink = state.sink;
    });
    if (sink == nullptr) return;
    if (commands.empty()) break;
    for (auto& command : commands) sink->execute(std::move(command));
    executed = sink;
  }
  if (executed != nullptr) executed->executed();
}

void StreamMailbox::close() {
  std::vector<Command> dropped;  // destroyed without the lock: slices may run destructors of others
  state_.with([&](State& state) {
    dropped.swap(state.waiting);
    state.host = nullptr;
    state.sink = nullptr;
  });
}

}  // namespace protean::http2
