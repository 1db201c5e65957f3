// SPDX-License-Identifier: Apache-2.0
// A thin layer over Boost.Asio, so that those who make load need not know it.
#include "transport/client/client_loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <utility>

namespace protean {

ClientLoop::ClientLoop() : io_(1) {}

ClientLoop::~ClientLoop() = default;

void ClientLoop::run_until(TimePoint until) {
  const auto work = boost::asio::make_work_guard(io_);
  io_.restart();
  while (!std::exchange(stopping_, false) && Clock::system().now() < until) {
    if (io_.run_one_until(until) == 0) break;
  }
  stopping_ = false;
}

void ClientLoop::stop() {
  post([this] { stopping_ = true; });
}

void ClientLoop::post(std::function<void()> task) { boost::asio::post(io_, std::move(task)); }

void ClientLoop::run_at(TimePoint when, std::function<void()> task) {
  auto timer = std::make_shared<boost::asio::steady_timer>(io_, when);
  boost::asio::steady_timer& armed = *timer;
  armed.async_wait([timer = std::move(timer), task = std::move(task)](const boost::system::error_code& error) {
    if (!error) task();
  });
}

}  // namespace protean
