// SPDX-License-Identifier: Apache-2.0
// Tells that something below a folder may have changed: at once where the kernel's inotify works, and every
// poll interval in any case (network file systems send no events).
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include "base/result.h"

namespace protean {

/// Owns one thread.  `on_change` is called on it and must be quick.
class FolderWatch {
 public:
  FolderWatch(std::filesystem::path root, std::chrono::milliseconds poll_interval, std::function<void()> on_change);
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  /// Whether events arrive (false: polling only).
  [[nodiscard]] bool has_events() const noexcept { return inotify_ >= 0; }

 private:
  void run();
  void watch_folders() noexcept;

  const std::filesystem::path root_;
  const std::chrono::milliseconds poll_interval_;
  const std::function<void()> on_change_;
  int inotify_ = -1;
  int stop_event_ = -1;
  std::thread thread_;
};

}  // namespace protean
