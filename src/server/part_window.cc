// SPDX-License-Identifier: Apache-2.0
// The owner that travels with a part gives its bytes back when the transport lets it go.
#include "server/part_window.h"

namespace protean {

Status PartWindow::wait(const std::stop_token& cancel, TimePoint until) {
  std::unique_lock lock(mutex_);
  const bool room = room_.wait_until(lock, cancel, until, [this] { return bytes_ < bytes_max_; });
  if (cancel.stop_requested()) return fail(Code::kCancelled, "the client left before the answer was whole");
  if (!room) return fail(Code::kDeadlineExceeded, "the client took too long to read the parts before");
  return {};
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
