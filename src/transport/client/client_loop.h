// SPDX-License-Identifier: Apache-2.0
// The event loop of client connections: run by the thread that owns it, for as long as that thread wants.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>

#include "base/clock.h"

namespace protean {

/// Used by one thread; only post() and stop() may be called by others.
class ClientLoop {
 public:
  ClientLoop();
  ~ClientLoop();
  ClientLoop(const ClientLoop&) = delete;
  ClientLoop& operator=(const ClientLoop&) = delete;

  /// Serves connections and timers until `until` or stop().
  void run_until(TimePoint until);
  /// Ends run_until() soon.  Thread-safe.
  void stop();
  /// Runs `task` on the loop's thread, within run_until().  Thread-safe.
  void post(std::function<void()> task);
  /// Runs `task` at that time or as soon after it as run_until() is there.
  void run_at(TimePoint when, std::function<void()> task);

  [[nodiscard]] boost::asio::io_context& io() noexcept { return io_; }

 private:
  boost::asio::io_context io_;
  bool stopping_ = false;
};

}  // namespace protean
