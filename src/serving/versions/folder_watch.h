// SPDX-License-Identifier: Apache-2.0
// Tells that something below a folder may have changed: at once and by name where the kernel's inotify works, and every
// poll interval in any case (network file systems send no events, and the kernel limits how many folders are watched).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "base/result.h"

namespace protean {

/// Owns one thread.  `on_change` is called on it: with the names of the entries of the folder below which something
/// changed, or empty when it may be anything.
class FolderWatch {
 public:
  using OnChange = std::function<void(std::set<std::string> entries)>;
  /// `watches_max`: folders watched; the kernel's own limit may be lower.
  FolderWatch(std::filesystem::path root, std::chrono::milliseconds poll_interval, OnChange on_change,
              std::size_t watches_max = SIZE_MAX);
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  /// Whether events arrive for every folder (false: polling finds what they miss).
  [[nodiscard]] bool has_events() const noexcept { return inotify_ >= 0 && !limited_; }

 private:
  struct Watched {
    std::filesystem::path path;
    int depth = 0;
  };

  void run();
  void watch_all();
  void watch_below(const std::filesystem::path& folder, int depth);
  void watch(const std::filesystem::path& folder, int depth);
  /// Whether all events could be read; the entries they were about go to `entries`.
  [[nodiscard]] bool read_events(std::set<std::string>& entries);
  void see(int descriptor, std::uint32_t mask, std::string_view name, std::set<std::string>& entries);

  const std::filesystem::path root_;
  const std::chrono::milliseconds poll_interval_;
  const OnChange on_change_;
  const std::size_t watches_max_;
  int inotify_ = -1;
  int stop_event_ = -1;
  bool limited_ = false;
  std::unordered_map<int, Watched> watched_;  // of the thread
  std::thread thread_;
};

}  // namespace protean
