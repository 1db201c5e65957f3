// SPDX-License-Identifier: Apache-2.0
// The owner that travels with a part gives its bytes back when the transport lets it go.
#include "server/part_window.h"

namespace protean {

bool PartWindow::wait(const std::stop_token& cancel) {
  std::unique_lock lock(mutex_);
  return room_.wait(lock, cancel, [this] { return bytes_ < bytes_max_; }) && !cancel.stop_requested();
}

std::shared_ptr<const void> PartWindow::take(std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    bytes_ += bytes;
  }
  return {this, [window = shared_from_this(), bytes](const void*) { window->give_back(bytes); }};
}

void PartWindow::give_back(std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    bytes_ -= bytes;
  }
  room_.notify_one();
}

}  // namespace protean
